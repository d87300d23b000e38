"""One-legged OAuth 1.0a as WooCommerce checks it where WordPress sees no https: all else counts as anonymous."""

import base64
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.woocommerce.errors import ApiError

WINDOW_S = 15 * 60
PARAMETERS = (
    "oauth_consumer_key",
    "oauth_timestamp",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
)
DIGESTS = {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256"}
PUBLIC_PATHS = frozenset({"/wp-json", "/wp-json/"})


@dataclass(frozen=True, slots=True)
class KeyPair:
    consumer_key: str
    consumer_secret: str = field(repr=False)


def _refused(message: str) -> ApiError:
    return ApiError(401, "woocommerce_rest_authentication_error", message)


def signature(method: str, url: str, parameters: Mapping[str, str], secret: str) -> str:
    """Base64 HMAC over method, ``url`` without its query, and all parameters but the signature, sorted by name."""
    pairs = sorted((_escaped(name), _escaped(value)) for name, value in parameters.items() if name != "oauth_signature")
    query = "%26".join(f"{name}%3D{value}" for name, value in pairs)
    base = f"{method}&{quote(url, safe='')}&{query}"
    digest = DIGESTS[parameters["oauth_signature_method"]]
    return base64.b64encode(hmac.new(f"{secret}&".encode(), base.encode(), digest).digest()).decode()


def _escaped(text: str) -> str:
    return quote(unquote(text), safe="").replace("%", "%25")


class Nonces:
    """Remembers what was used within the window."""

    def __init__(self) -> None:
        self._used: OrderedDict[str, float] = OrderedDict()

    def use(self, nonce: str, now: float) -> bool:
        """False when it was used before."""
        while self._used and next(iter(self._used.values())) < now - WINDOW_S:
            self._used.popitem(last=False)
        if nonce in self._used:
            return False
        self._used[nonce] = now
        return True


class Verifier:
    """``home`` is the shop's own URL: it signs with that, whatever Host header came."""

    def __init__(self, home: str, keys: KeyPair) -> None:
        self._home = home
        self._keys = keys
        self._nonces = Nonces()

    def check(self, method: str, path: str, query: str, now: float) -> None:
        """Raises: ApiError 401 in the words WooCommerce uses for each cause."""
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        given = [name for name in PARAMETERS if parameters.get(name)]
        if not given:
            raise ApiError(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        if missing := [name for name in PARAMETERS if name not in given]:
            raise ApiError(
                401,
                "woocommerce_rest_authentication_missing_parameter",
                f"Missing OAuth parameters {', '.join(missing)}",
            )
        if not hmac.compare_digest(parameters["oauth_consumer_key"].encode(), self._keys.consumer_key.encode()):
            raise _refused("Consumer key is invalid.")
        if parameters["oauth_signature_method"] not in DIGESTS:
            raise _refused("Invalid signature - signature method is invalid.")
        expected = signature(method, f"{self._home}{path}", parameters, self._keys.consumer_secret)
        if not hmac.compare_digest(expected.encode(), parameters["oauth_signature"].encode()):
            raise _refused("Invalid signature - provided signature does not match.")
        stamp = parameters["oauth_timestamp"]
        if not stamp.isdecimal() or abs(now - int(stamp)) > WINDOW_S:
            raise _refused("Invalid timestamp.")
        if not self._nonces.use(hashlib.sha256(parameters["oauth_nonce"].encode()).hexdigest(), now):
            raise _refused("Invalid nonce - nonce has already been used.")


class OneLegged:
    """ASGI: lets only signed calls through, except to the public index."""

    def __init__(self, app: ASGIApp, home: str, keys: KeyPair) -> None:
        self._app = app
        self._verifier = Verifier(home, keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in PUBLIC_PATHS:
            try:
                self._verifier.check(scope["method"], path, scope["query_string"].decode("latin-1"), time.time())
            except ApiError as error:
                await error.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)
