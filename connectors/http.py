"""How every connector reaches a store: guarded sockets, bounded answers, and errors in our own words.

A merchant's store URL is untrusted input. Its name is resolved once per client, an address that is not on the public
internet is refused, and the socket goes to just that address while the name stays the Host and the TLS server name; so
a second answer of a name server can lead nowhere else. Redirects are never followed and the environment's proxies never
used. Transport faults of httpx and requests leave here as ``Unreachable``, without URLs: those may carry keys.
"""

import io
import ipaddress
import json
import re
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar

import httpcore
import httpx
import requests
import requests.adapters
import requests.utils
import tenacity
import urllib3
import urllib3.util

from core.errors import Malformed, Rejected, Throttled, Unauthorized, Unreachable

MAX_BODY_BYTES = 32 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

AnyResponse = TypeVar("AnyResponse", httpx.Response, requests.Response)


@dataclass(frozen=True, slots=True)
class Net:
    """How we may reach the outside. Only the sandbox setting allows loopback and private addresses."""

    allow_private: bool = False
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 20.0


def http_client(base_url: str, net: Net, headers: Mapping[str, str]) -> httpx.Client:
    """A client for one store, reached over one pinned address; raises Unreachable for transport faults."""
    return httpx.Client(
        base_url=base_url,
        headers=dict(headers),
        transport=_GuardedTransport(net),
        timeout=httpx.Timeout(net.read_timeout_s, connect=net.connect_timeout_s),
        follow_redirects=False,
        trust_env=False,
    )


def requests_session(net: Net) -> requests.Session:
    """The same guard for libraries that speak through requests."""
    session = _SessionWithoutRedirects()
    session.trust_env = False
    adapter = _GuardedAdapter(net)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def checked(response: AnyResponse) -> AnyResponse:
    """Give a 2xx back; raise every other answer as the error that says what to do about it.

    Raises: Unauthorized (401, 403); Throttled (429); Unreachable (5xx); Rejected (3xx and other 4xx).
    """
    status = response.status_code
    if 200 <= status < 300:
        return response
    code = error_code(response.content)
    named = f"{status} {code}".strip()
    if status in (401, 403):
        raise Unauthorized(
            f"the store refuses our credentials or their rights ({named}); look in its admin what they may do"
        )
    if status == 429:
        raise Throttled(_retry_after_s(response.headers))
    if status >= 500:
        raise Unreachable(f"the store failed ({named})")
    if status < 400:
        raise Rejected(
            f"the store redirects ({named}), which is not followed; give its final address (https, www, path)",
            status=status,
            code=code,
        )
    raise Rejected(f"the store said no ({named})", status=status, code=code)


def error_code(body: bytes) -> str:
    """The machine-readable word of an error body; empty without one. Sentences are left out: they may name people."""
    try:
        content = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(content, dict):
        return ""
    found = (content.get(key) for key in ("code", "error", "type"))
    return next((word for word in found if isinstance(word, str) and re.fullmatch(r"[\w.:/-]{1,120}", word)), "")


def json_body(response: httpx.Response | requests.Response) -> Any:
    """The parsed body; Malformed for anything but JSON, such as a maintenance page with status 200."""
    try:
        return json.loads(response.content)
    except ValueError:
        raise Malformed(f"the store's answer {response.status_code} is not JSON; is its URL right?") from None


def server_time(response: httpx.Response | requests.Response) -> datetime:
    """The store's own clock, in whole seconds, from the Date header; Malformed without one."""
    moment = _http_date(response.headers.get("Date", ""))
    if moment is None:
        raise Malformed("the store's answer has no readable Date header")
    return moment


def asked_at(response: httpx.Response | requests.Response) -> datetime:
    """An instant of the store's clock before which it cannot have looked up this answer.

    The Date header is written when the answer leaves, floored to the second, and a slow query may lie long before it.
    So the whole time we waited is taken off: what a store changed up to here is in the answer.
    """
    return server_time(response) - response.elapsed


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _retry_after_s(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", text):
        return float(text)
    until, now = _http_date(text), _http_date(headers.get("Date", ""))
    return max((until - now).total_seconds(), 0.0) if until and now else 1.0


_ATTEMPTS = 3
_THROTTLE_PATIENCE_S = 3.0
_growing_wait = tenacity.wait_exponential(multiplier=0.2, max=1.8) + tenacity.wait_random(0.0, 0.2)


def _fault(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _wait_s(state: tenacity.RetryCallState) -> float:
    fault = _fault(state)
    return fault.retry_after_s if isinstance(fault, Throttled) else _growing_wait(state)


def _enough(state: tenacity.RetryCallState) -> bool:
    fault = _fault(state)
    if isinstance(fault, Throttled):
        return state.idle_for + fault.retry_after_s > _THROTTLE_PATIENCE_S
    return state.attempt_number >= _ATTEMPTS


safely = tenacity.retry(
    retry=tenacity.retry_if_exception_type((Unreachable, Throttled)), wait=_wait_s, stop=_enough, reraise=True
)
"""Decorator for calls that may be repeated (reads, absolute sets).

Unreachable: three attempts with growing, jittered waits of 0.2 to 2 s. Throttled: waited out while all waits together
stay within 3 s. After that the error goes to the caller, whose job comes back later.
"""


def is_public(address: str) -> bool:
    """True for an address on the public internet, also looking inside IPv6 forms that carry an IPv4 address."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return ip.is_global and not ip.is_multicast


class _Addresses:
    """Remembers the one address that each name may be reached at."""

    def __init__(self, net: Net) -> None:
        self._allow_private = net.allow_private
        self._pinned: dict[str, str] = {}

    def of(self, host: str) -> str:
        """The pinned address; Unreachable when the name is unknown or any of its addresses is not public."""
        if host not in self._pinned:
            self._pinned[host] = self._resolve(host)
        return self._pinned[host]

    def _resolve(self, host: str) -> str:
        try:
            found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Unreachable("the store's host name cannot be resolved; check its URL") from None
        addresses = [str(entry[4][0]) for entry in found]
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise Unreachable("the store's URL leads to an address that is not public; Holdfast does not go there")
        return addresses[0]


def _bounded(chunks: Iterable[bytes], seconds: float) -> bytes:
    """The whole decoded body, at most MAX_BODY_BYTES and within ``seconds``: a store may drip or inflate it."""
    deadline = time.monotonic() + seconds
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Malformed(f"the store's answer is larger than {MAX_BODY_BYTES} bytes")
        if time.monotonic() > deadline:
            raise Unreachable("the store's answer did not end in time")
    return bytes(body)


class _PinnedBackend(httpcore.NetworkBackend):
    """Opens TCP connections to the pinned address; above it the name stays, so Host and TLS name need no care."""

    def __init__(self, net: Net) -> None:
        self._addresses = _Addresses(net)
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        return self._sockets.connect_tcp(self._addresses.of(host), port, timeout, local_address, socket_options)


@cache
def httpx_tls() -> ssl.SSLContext:
    """What all httpx clients of the process trust; made once, for reading the world's certificates takes its time."""
    return httpx.create_ssl_context(trust_env=False)


@cache
def requests_tls() -> ssl.SSLContext:
    """The same for requests: a context of its own, in which urllib3 switches off the name check to do it itself."""
    context = urllib3.util.create_urllib3_context()
    context.load_verify_locations(requests.utils.DEFAULT_CA_BUNDLE_PATH)
    return context


class _GuardedTransport(httpx.HTTPTransport):
    def __init__(self, net: Net) -> None:
        super().__init__(verify=httpx_tls(), trust_env=False)
        self._body_seconds = 3 * net.read_timeout_s
        # httpx offers no argument for the network backend; its pool is the documented seam of httpcore.
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx_tls(),
            max_connections=10,
            max_keepalive_connections=5,
            keepalive_expiry=15.0,
            network_backend=_PinnedBackend(net),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = super().handle_request(request)
            try:
                body = _bounded(answer.iter_bytes(_CHUNK_BYTES), self._body_seconds)
            finally:
                answer.close()
        except httpx.DecodingError:
            raise Malformed("the store's answer cannot be decompressed") from None
        except httpx.TransportError as fault:
            raise Unreachable(f"no answer from the store ({type(fault).__name__})") from None
        gone = (b"content-encoding", b"content-length", b"transfer-encoding")
        kept = [(name, value) for name, value in answer.headers.raw if name.lower() not in gone]
        return httpx.Response(answer.status_code, headers=kept, stream=httpx.ByteStream(body))


class _SessionWithoutRedirects(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """A redirect has no target for us, whatever the caller asks for: it would lose the write."""


class _GuardedAdapter(requests.adapters.HTTPAdapter):
    def __init__(self, net: Net) -> None:
        self._addresses = _Addresses(net)
        self._timeout = (net.connect_timeout_s, net.read_timeout_s)
        super().__init__(pool_connections=2, pool_maxsize=4)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        where, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        name = where["host"]
        where["host"] = self._addresses.of(name)
        if where["scheme"] == "https":
            checks = {"cert_reqs": "CERT_REQUIRED", "server_hostname": name, "assert_hostname": name}
            return where, {**tls, "ssl_context": requests_tls(), **checks}
        return where, tls

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the connection as it is: the shared context holds the certificates and requires one."""

    def add_headers(self, request: requests.PreparedRequest, **kwargs: Any) -> None:
        del kwargs
        request.headers["Host"] = httpx.URL(request.url or "").netloc.decode("ascii")

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        del stream, proxies  # the body is always read here, within bounds, and a proxy is never used
        limits = timeout or self._timeout
        try:
            answer = super().send(request, stream=True, timeout=limits, verify=verify, cert=cert)
            try:
                chunks = answer.raw.stream(_CHUNK_BYTES, decode_content=True)
                body = _bounded(chunks, 3 * self._timeout[1])
            finally:
                answer.raw.close()
        except urllib3.exceptions.DecodeError:
            raise Malformed("the store's answer cannot be decompressed") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as fault:
            raise Unreachable(f"no answer from the store ({type(fault).__name__})") from None
        answer.raw = io.BytesIO(body)
        return answer
