"""One shop's line to Shopify: who we are, how to ask, and how to page within the cost limit."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import httpx

from connectors.http import Net, checked, http_client, json_body, safely
from connectors.shopify.graphql import Answer, CostTooHigh, HttpGraphQL, read_answer, session_for
from connectors.shopify.translate import Node, reading
from core.errors import ConfigError, Unauthorized
from core.model import StoreAccess

# A token of the client credentials grant lives a day; a new one is fetched this long before its end.
_TOKEN_MARGIN_S = 300.0

T = TypeVar("T")


class ShopifyCaller:
    """Asks one shop, with a pasted token ({access_token, api_secret}) or one fetched by {client_id, client_secret}.

    Several threads may ask at once.
    """

    def __init__(self, access: StoreAccess, net: Net) -> None:
        self._url = access.url.rstrip("/")
        self._credentials = access.credentials
        self._http = http_client(self._url, net, {})
        self._graphql: HttpGraphQL | None = None
        self._token_ends = 0.0
        self._page_sizes: dict[str, int] = {}
        self._token_lock = threading.Lock()

    @property
    def webhook_secret(self) -> str:
        """The secret Shopify signs deliveries with; ConfigError when it was never given."""
        secret = self._credentials.get("client_secret") or self._credentials.get("api_secret")
        if not secret:
            raise ConfigError("the store has no api_secret; add the app's API secret key to its credentials")
        return secret

    @safely
    def ask(self, document: str, variables: Mapping[str, Any] | None = None) -> Answer:
        """Send a document that may be repeated; see ``read_answer`` for what it raises."""
        return self.ask_once(document, variables)

    def ask_once(self, document: str, variables: Mapping[str, Any] | None = None) -> Answer:
        """The same without repeating, for callers that see to that themselves."""
        known = self._graphql
        graphql = self._graphql_now()
        try:
            return read_answer(graphql.execute(document, variables))
        except Unauthorized:
            if graphql is not known or not self._is_fetched_token():
                raise
        # A fetched token can be revoked early; a new one tells if the app still may.
        return read_answer(self._graphql_now(refused=graphql).execute(document, variables))

    def sized(self, name: str, largest: int, attempt: Callable[[int], T]) -> T:
        """Run ``attempt(size)`` with the largest size Shopify has not called too costly, remembered by ``name``."""
        while True:
            size = min(self._page_sizes.get(name, largest), largest)
            try:
                return attempt(size)
            except CostTooHigh:
                if size == 1:
                    raise
                self._page_sizes[name] = min(size // 2, self._page_sizes.get(name, largest))

    def close(self) -> None:
        """Give back sockets."""
        self._http.close()

    def _is_fetched_token(self) -> bool:
        return "access_token" not in self._credentials

    def _graphql_now(self, refused: HttpGraphQL | None = None) -> HttpGraphQL:
        """With a token that still lives and is not the ``refused`` one; only one thread fetches it."""
        with self._token_lock:
            ended = self._is_fetched_token() and time.monotonic() > self._token_ends
            if self._graphql is None or self._graphql is refused or ended:
                token = self._fetch_token() if self._is_fetched_token() else self._credentials["access_token"]
                self._graphql = HttpGraphQL(session_for(self._url, token), self._http)
            return self._graphql

    def _fetch_token(self) -> str:
        """The client credentials grant, for own apps on own shops; page "Get access tokens" of shopify.dev."""
        try:
            form = {
                "grant_type": "client_credentials",
                "client_id": self._credentials["client_id"],
                "client_secret": self._credentials["client_secret"],
            }
        except KeyError as missing:
            raise ConfigError(
                f"the store's credentials lack {missing}; `holdfast store renew NAME` takes all of them"
            ) from None
        response = self._http.post("/admin/oauth/access_token", data=form)
        if response.status_code == httpx.codes.BAD_REQUEST:
            raise Unauthorized(
                "Shopify refuses the client id and secret for this shop; check both, and that the app is installed"
            )
        body = json_body(checked(response))
        with reading("an access token"):
            self._token_ends = time.monotonic() + float(body["expires_in"]) - _TOKEN_MARGIN_S
            return str(body["access_token"])


def pages(first_page: Node, next_page: Callable[[str], Node]) -> Iterator[Node]:
    """The nodes of a connection, fetching further pages by their cursor."""
    page = first_page
    while True:
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        page = next_page(page["pageInfo"]["endCursor"])
