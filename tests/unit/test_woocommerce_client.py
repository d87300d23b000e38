"""What goes over the wire, and the connection test's words for what stands in the way."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import urllib3

from connectors.http import Net
from connectors.woocommerce.client import WooCommerceConnector
from core.errors import ConnectorError, Malformed, Rejected, Unauthorized
from core.model import Platform, StoreAccess

KEYS = {"consumer_key": "ck_key", "consumer_secret": "cs_secret", "webhook_secret": "0a1b"}
Reply = tuple[int, Any]
VIEW = {"code": "woocommerce_rest_cannot_view", "message": "Du darfst nicht.", "data": {"status": 401}}
AUTH = {"code": "woocommerce_rest_authentication_error", "message": "Nein.", "data": {"status": 401}}


@dataclass
class Wire:
    """Answers requests in place of the network; ``reply`` decides by the request."""

    reply: Callable[[requests.PreparedRequest], Reply]
    seen: list[requests.PreparedRequest] = field(default_factory=list)

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        self.seen.append(request)
        status, content = self.reply(request)
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        answer = requests.Response()
        answer.status_code = status
        answer.headers["Date"] = "Sun, 22 Nov 2026 12:00:00 GMT"
        answer.raw = urllib3.HTTPResponse(io.BytesIO(body), status=status, preload_content=False)
        return answer


def _healthy(request: requests.PreparedRequest) -> Reply:
    path = urlsplit(request.url or "").path
    if path.endswith("woocommerce_manage_stock"):
        return 200, {"id": "woocommerce_manage_stock", "value": "yes"}
    if path.endswith("woocommerce_hold_stock_minutes"):
        return 200, {"id": "woocommerce_hold_stock_minutes", "value": "45"}
    return 200, {}


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire(_healthy)
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", wire.send)
    return wire


def _connector(url: str = "https://shop.example", settings: dict[str, str] | None = None) -> WooCommerceConnector:
    return WooCommerceConnector(StoreAccess(1, 1, Platform.WOOCOMMERCE, url, KEYS, settings or {}), Net())


def test_over_https_keys_go_into_the_header_only(wire: Wire) -> None:
    _connector().probe()

    for request in wire.seen:
        assert request.headers["Authorization"].startswith("Basic ")
        assert "ck_key" not in (request.url or "")
        assert request.headers["User-Agent"] == "Holdfast"


def test_over_http_each_request_is_signed_and_the_secret_stays_here(wire: Wire) -> None:
    profile = _connector("http://shop.example").probe()

    for request in wire.seen:
        query = parse_qs(urlsplit(request.url or "").query)
        assert query["oauth_signature_method"] == ["HMAC-SHA256"]
        assert len(query["oauth_signature"]) == 1
        assert "cs_secret" not in (request.url or "")
    assert any("http" in warning for warning in profile.warnings)


def test_a_probe_keeps_the_shop_s_hold_minutes(wire: Wire) -> None:
    profile = _connector().probe()

    assert (profile.settings, profile.warnings) == ({"hold_minutes": "45"}, ())


@pytest.mark.parametrize(
    ("option", "value", "warning"),
    [("manage_stock", "no", "Stock management is off"), ("hold_stock_minutes", "", "Hold stock")],
)
def test_settings_that_stand_in_the_way_are_warned_of(wire: Wire, option: str, value: str, warning: str) -> None:
    wire.reply = lambda request: (200, {"value": value}) if option in (request.url or "") else _healthy(request)

    (found,) = _connector().probe().warnings

    assert warning in found


def test_a_host_that_drops_the_header_is_told_from_a_wrong_key(wire: Wire) -> None:
    wire.reply = lambda request: _healthy(request) if "consumer_key=ck_key" in (request.url or "") else (401, VIEW)

    profile = _connector().probe()

    assert profile.settings["auth"] == "query"
    assert "Authorization" in profile.warnings[-1]


def test_the_setting_found_by_the_probe_is_used_afterwards(wire: Wire) -> None:
    wire.reply = lambda request: (200, [])
    _connector(settings={"auth": "query"}).list_listings(None)

    assert "consumer_key=ck_key" in (wire.seen[-1].url or "")
    assert "Authorization" not in wire.seen[-1].headers


@pytest.mark.parametrize(
    ("status", "content", "only_writes", "words"),
    [
        (401, VIEW, False, "does not know the key"),
        (401, AUTH, False, "secret is wrong"),
        (401, AUTH, True, "may only read"),
        (403, {"code": "woocommerce_rest_cannot_view"}, False, "too few rights"),
        (403, "<html>challenge</html>", False, "firewall"),
    ],
)
def test_a_refused_key_is_explained_by_code_not_by_sentence(
    wire: Wire, status: int, content: object, only_writes: bool, words: str
) -> None:
    wire.reply = lambda request: _healthy(request) if only_writes and request.method == "GET" else (status, content)

    with pytest.raises(Unauthorized, match=words) as refusal:
        _connector().probe()

    assert "cs_secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (404, {"code": "rest_no_route"}, Malformed),
        (404, "<html>not found</html>", Malformed),
        (200, "<html>maintenance</html>", Malformed),
        (200, [], Malformed),
        (301, "", Rejected),
    ],
)
def test_what_is_no_woocommerce_api_is_named_as_such(
    wire: Wire, status: int, content: object, error: type[ConnectorError]
) -> None:
    wire.reply = lambda request: (status, content)

    with pytest.raises(error):
        _connector().probe()


def test_credentials_show_in_no_repr() -> None:
    connector = _connector()

    assert "cs_secret" not in f"{connector!r}{vars(connector)!r}"
