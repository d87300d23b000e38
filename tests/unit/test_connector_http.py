"""The guard around every connector's sockets, for httpx and requests alike."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import requests
import respx

from connectors import http
from connectors.http import Net, checked, error_code, http_client, is_public, json_body, requests_session, safely
from connectors.http import server_time as clock_of
from core.errors import Malformed, Rejected, Throttled, Unauthorized, Unreachable

PRIVATE = Net(allow_private=True, connect_timeout_s=1.0, read_timeout_s=1.0)
Fetch = Callable[[str], httpx.Response | requests.Response]


@dataclass
class Server:
    """A web server under the name ``localhost`` that notes the Host header of each request."""

    url: str
    hosts: list[str] = field(default_factory=list)
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            noted.hosts.append(self.headers["Host"])
            self.send_response(302 if self.path == "/moved" else 200)
            for name, value in noted.headers.items():
                self.send_header(name, value)
            if self.path == "/moved":
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(noted.body)))
            self.end_headers()
            self.wfile.write(noted.body)

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        noted = Server(f"http://localhost:{listening.server_port}")
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield noted
        listening.shutdown()
        thread.join()


def _through_httpx(net: Net) -> Fetch:
    return http_client("", net, {}).get


def _through_requests(net: Net) -> Fetch:
    session = requests_session(net)
    return session.get


both = pytest.mark.parametrize("through", [_through_httpx, _through_requests])


@both
def test_a_loopback_address_is_refused_without_a_connection(through: Callable[[Net], Fetch], server: Server) -> None:
    with pytest.raises(Unreachable, match="not public"):
        through(Net())(server.url)

    assert server.hosts == []


@both
def test_the_sandbox_setting_allows_loopback_and_keeps_the_name_as_host(
    through: Callable[[Net], Fetch], server: Server
) -> None:
    through(PRIVATE)(server.url)

    assert server.hosts == [server.url.removeprefix("http://")]


@both
def test_a_name_is_resolved_once_so_a_second_answer_leads_nowhere(
    through: Callable[[Net], Fetch], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["127.0.0.1", "127.0.0.99"]
    _resolve(monkeypatch, "localhost", lambda: [answers.pop(0)])
    fetch = through(PRIVATE)

    fetch(server.url)
    fetch(server.url)

    assert len(server.hosts) == 2
    assert answers == ["127.0.0.99"]


def _resolve(monkeypatch: pytest.MonkeyPatch, name: str, addresses: Callable[[], list[str]]) -> None:
    """Answer lookups of ``name`` with these addresses; numeric ones, as sockets ask, go to the system."""
    real = socket.getaddrinfo

    def lookup(host: str, *args: Any, **kwargs: Any) -> list[Any]:
        if host != name:
            return list(real(host, *args, **kwargs))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses()]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@both
def test_one_private_address_among_public_ones_is_enough_to_refuse(
    through: Callable[[Net], Fetch], monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve(monkeypatch, "shop.example", lambda: ["93.184.215.14", "10.0.0.1"])

    with pytest.raises(Unreachable, match="not public"):
        through(Net())("https://shop.example/")


@both
def test_a_redirect_is_answered_and_not_followed(through: Callable[[Net], Fetch], server: Server) -> None:
    answer = through(PRIVATE)(f"{server.url}/moved")

    assert answer.status_code == 302
    assert len(server.hosts) == 1


@both
def test_proxies_of_the_environment_are_not_used(
    through: Callable[[Net], Fetch], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert through(PRIVATE)(server.url).status_code == 200


@both
def test_a_compressed_answer_is_read_as_what_it_says(through: Callable[[Net], Fetch], server: Server) -> None:
    server.body, server.headers = gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"}

    assert json_body(through(PRIVATE)(server.url)) == {"a": 1}


@both
def test_an_answer_that_inflates_past_the_bound_is_refused(
    through: Callable[[Net], Fetch], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 1_000_000)
    server.body, server.headers = gzip.compress(b"0" * 5_000_000), {"Content-Encoding": "gzip"}

    with pytest.raises(Malformed, match="larger"):
        through(PRIVATE)(server.url)


@both
def test_a_broken_compression_is_malformed(through: Callable[[Net], Fetch], server: Server) -> None:
    server.body, server.headers = b"no gzip", {"Content-Encoding": "gzip"}

    with pytest.raises(Malformed):
        through(PRIVATE)(server.url)


@both
def test_a_fault_names_neither_the_url_nor_the_keys_in_it(through: Callable[[Net], Fetch]) -> None:
    with pytest.raises(Unreachable) as fault:
        through(PRIVATE)("http://127.0.0.1:1/?consumer_key=ck_secret")

    assert "ck_secret" not in str(fault.value)
    assert fault.value.__suppress_context__


@both
def test_an_unknown_name_is_unreachable(through: Callable[[Net], Fetch]) -> None:
    with pytest.raises(Unreachable, match="cannot be resolved"):
        through(PRIVATE)("http://no-such-host.invalid/")


@both
def test_tls_is_checked_against_the_name_and_not_the_address(
    through: Callable[[Net], Fetch], monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5.0)

        def hear() -> None:
            peer, _ = listening.accept()
            with peer:
                named.append(peer.recv(4096))

        thread = threading.Thread(target=hear)
        thread.start()
        _resolve(monkeypatch, "shop.example", lambda: ["127.0.0.1"])
        with pytest.raises(Unreachable):
            through(PRIVATE)(f"https://shop.example:{listening.getsockname()[1]}/")
        thread.join()

    assert b"shop.example" in named[0]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "ff0e::1",
    ],
)
def test_addresses_off_the_public_internet_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(address)


def _answer(status: int, content: bytes = b"", headers: Mapping[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, content=content, headers=headers)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Unauthorized), (403, Unauthorized), (302, Rejected), (404, Rejected), (422, Rejected), (503, Unreachable)],
)
def test_each_refusal_becomes_the_error_that_says_what_to_do(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        checked(_answer(status))


def test_a_rejection_carries_the_code_and_leaves_the_sentence_out() -> None:
    body = b'{"code": "rest_invalid_param", "message": "Invalid email ann@example.test"}'

    with pytest.raises(Rejected) as refusal:
        checked(_answer(400, body))

    assert (refusal.value.status, refusal.value.code) == (400, "rest_invalid_param")
    assert "ann@" not in str(refusal.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"code": 7}', b'{"code": "Ann Example, 1 Street"}'])
def test_only_a_word_made_for_machines_is_a_code(body: bytes) -> None:
    assert error_code(body) == ""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "2.5"}, 2.5),
        ({}, 1.0),
        ({"Retry-After": "soon"}, 1.0),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"}, 30.0),
    ],
)
def test_a_throttle_says_how_long(headers: dict[str, str], seconds: float) -> None:
    with pytest.raises(Throttled) as throttle:
        checked(_answer(429, headers=headers))

    assert throttle.value.retry_after_s == seconds


def test_the_store_s_clock_is_its_date_header() -> None:
    moment = clock_of(_answer(200, headers={"Date": "Sun, 22 Nov 2026 12:00:00 GMT"}))

    assert moment == datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("headers", [{}, {"Date": "noon"}])
def test_an_answer_without_a_clock_is_malformed(headers: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        clock_of(_answer(200, headers=headers))


def test_a_page_of_html_is_malformed() -> None:
    with pytest.raises(Malformed):
        json_body(_answer(200, b"<html>maintenance</html>"))


def _calls(*faults: Exception) -> tuple[Callable[[], int], list[int]]:
    """A safe call that fails in turn with each of the faults and then succeeds; and a list of its calls."""
    made: list[int] = []

    @safely
    def call() -> int:
        made.append(1)
        if len(made) <= len(faults):
            raise faults[len(made) - 1]
        return 7

    return call, made


def test_a_safe_call_is_made_up_to_three_times() -> None:
    call, made = _calls(Unreachable("a"), Unreachable("b"))

    assert call() == 7
    assert len(made) == 3


def test_a_store_that_stays_away_is_unreachable() -> None:
    call, made = _calls(*[Unreachable("gone")] * 5)

    with pytest.raises(Unreachable):
        call()
    assert len(made) == 3


def test_a_short_throttle_is_waited_out() -> None:
    call, made = _calls(Throttled(0.05), Throttled(0.05), Throttled(0.05), Throttled(0.05))

    assert call() == 7
    assert len(made) == 5


def test_a_long_throttle_goes_to_the_caller_at_once() -> None:
    call, made = _calls(Throttled(3.5))

    with pytest.raises(Throttled):
        call()
    assert len(made) == 1


def test_a_refusal_is_not_repeated() -> None:
    call, made = _calls(Rejected("no", status=400))

    with pytest.raises(Rejected):
        call()
    assert len(made) == 1


@respx.mock
def test_a_timeout_of_httpx_is_unreachable() -> None:
    respx.get("https://shop.example/").mock(side_effect=httpx.ReadTimeout("slow"))

    with pytest.raises(Unreachable):
        http_client("https://shop.example", Net(), {}).get("/")
