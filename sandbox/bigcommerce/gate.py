"""In front of every route: the token, and the store's quota with its headers."""

import time
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.bigcommerce.answers import error

WINDOW_S = 30.0
_CROWDED_MS = 1000


class Quota:
    """Fixed windows of 30 s with a number of calls each."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self._turns_at = 0.0
        self._left = calls

    def spend(self) -> bool:
        """False when the window has no call left."""
        now = time.monotonic()
        if now >= self._turns_at:
            self._turns_at, self._left = now + WINDOW_S, self.calls
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def headers(self) -> Mapping[str, str]:
        return self._headers(max(int((self._turns_at - time.monotonic()) * 1000), 0), self._left)

    def crowded_out(self) -> Response:
        """The store's other apps have used up the quota; it comes back in a second."""
        return Response(status_code=429, headers=self._headers(_CROWDED_MS, 0), media_type="application/json")

    def _headers(self, reset_ms: int, left: int) -> dict[str, str]:
        return {
            "X-Rate-Limit-Time-Window-Ms": str(int(WINDOW_S * 1000)),
            "X-Rate-Limit-Time-Reset-Ms": str(reset_ms),
            "X-Rate-Limit-Requests-Quota": str(self.calls),
            "X-Rate-Limit-Requests-Left": str(left),
        }


class Gate:
    """ASGI."""

    def __init__(self, app: ASGIApp, access_token: str, quota: Quota) -> None:
        self._app = app
        self._access_token = access_token
        self._quota = quota

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._quota.headers())
            await send(message)

        if Headers(scope=scope).get("x-auth-token") != self._access_token:
            refusal = error(scope["path"], 401, "You are not authorized to access this resource.")
            await refusal(scope, receive, send)
        elif not self._quota.spend():
            await Response(status_code=429, media_type="application/json")(scope, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)
