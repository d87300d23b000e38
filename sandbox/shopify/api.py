"""The two doors of a shop's admin: the token endpoint and the GraphQL endpoint with its cost and its refusals."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLFieldResolver,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.shopify.cost import MOST_PER_QUERY, Bucket, actual_cost, requested_cost
from sandbox.shopify.hooks import API_VERSION, Hooks
from sandbox.shopify.inventory import Inventory
from sandbox.shopify.queries import SCOPES, Queries

CLIENT_ID = "sandbox-app"
TOKEN_LIFE_S = 86_399
_DOCUMENTS_KEPT = 200


@dataclass(slots=True)
class Keys:
    """The credentials of the one app; ``fetched`` are tokens of the client credentials grant and when they end."""

    access_token: str = field(repr=False)
    secret: str = field(repr=False)
    fetched: dict[str, float] = field(default_factory=dict, repr=False)

    def accepts(self, token: str) -> bool:
        return token == self.access_token or self.fetched.get(token, 0) > time.monotonic()


class Admin:
    def __init__(self, keys: Keys, schema: GraphQLSchema, bucket: Bucket) -> None:
        self._keys = keys
        self._schema = schema
        self._bucket = bucket
        self._checked = lru_cache(maxsize=_DOCUMENTS_KEPT)(self._check)

    def routes(self) -> list[Route]:
        return [
            Route("/admin/oauth/access_token", self._token, methods=["POST"]),
            Route("/admin/api/{version}/graphql.json", self._graphql, methods=["POST"]),
        ]

    def throttled(self) -> Response:
        """Asked to slow down by the dials: Shopify says it with status 200, as if others had used up the points."""
        status = {**self._bucket.status(), "currentlyAvailable": 0}
        return _answer({"errors": [_THROTTLED], "extensions": {"cost": _cost(50, None, status)}})

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, self._keys.secret):
            return JSONResponse({"error": "application_cannot_be_found"}, status_code=400)
        token = secrets.token_hex(16)
        self._keys.fetched[token] = time.monotonic() + TOKEN_LIFE_S
        return JSONResponse({"access_token": token, "scope": ",".join(SCOPES), "expires_in": TOKEN_LIFE_S})

    async def _graphql(self, request: Request) -> Response:
        if not self._keys.accepts(request.headers.get("X-Shopify-Access-Token", "")):
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JSONResponse({"errors": message}, status_code=401)
        try:
            body = await request.json()
            text, variables = str(body["query"]), body.get("variables") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return JSONResponse({"errors": "Bad Request"}, status_code=400)
        document, errors = self._checked(text)
        if document is None or errors:
            return _answer({"errors": [error.formatted for error in errors]})
        return self._paid(document, variables, body.get("operationName"))

    def _paid(self, document: DocumentNode, variables: Mapping[str, Any], name: str | None) -> Response:
        """Reserve the most the query can cost, run it, and give back what it did not use."""
        requested = requested_cost(document, variables)
        if requested > MOST_PER_QUERY:
            message = f"Query cost is {requested}, which exceeds the single query max cost limit {MOST_PER_QUERY}"
            error = {"message": message, "extensions": {"code": "MAX_COST_EXCEEDED", "cost": requested}}
            return _answer({"errors": [error]})
        if not self._bucket.take(requested):
            cost = _cost(requested, None, self._bucket.status())
            return _answer({"errors": [_THROTTLED], "extensions": {"cost": cost}})
        result = execute_sync(self._schema, document, variable_values=dict(variables), operation_name=name)
        actual = min(actual_cost(result.data, _is_mutation(document)), requested)
        self._bucket.give_back(requested - actual)
        answer: dict[str, Any] = {"extensions": {"cost": _cost(requested, actual, self._bucket.status())}}
        if result.data is not None:
            answer["data"] = result.data
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        return _answer(answer)

    def _check(self, text: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
        try:
            document = parse(text)
        except GraphQLError as error:
            return None, [error]
        return document, validate(self._schema, document)


_THROTTLED = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}


def schema_for(queries: Queries, inventory: Inventory, hooks: Hooks) -> GraphQLSchema:
    """The part of Shopify's schema that this shop plays, with its resolvers."""
    schema = build_schema(files("sandbox.shopify").joinpath("schema.graphql").read_text())
    resolvers: Mapping[str, Mapping[str, GraphQLFieldResolver]] = {
        "QueryRoot": {
            "currentAppInstallation": queries.installation,
            "inventoryItem": queries.item,
            "locations": queries.locations,
            "node": queries.node,
            "nodes": queries.nodes,
            "order": queries.order,
            "orders": queries.orders,
            "productVariants": queries.variants,
            "shop": queries.shop,
            "webhookSubscriptions": hooks.subscriptions,
        },
        "Mutation": {
            "inventorySetQuantities": inventory.set_quantities,
            "webhookSubscriptionCreate": hooks.create,
            "webhookSubscriptionDelete": hooks.delete,
            "webhookSubscriptionUpdate": hooks.update,
        },
    }
    for root in (schema.query_type, schema.mutation_type):
        for name, root_field in root.fields.items() if root else ():
            root_field.resolve = resolvers[root.name][name] if root else None
    return schema


def _is_mutation(document: DocumentNode) -> bool:
    return any(
        isinstance(each, OperationDefinitionNode) and each.operation is OperationType.MUTATION
        for each in document.definitions
    )


def _cost(requested: int, actual: int | None, status: Mapping[str, float]) -> dict[str, Any]:
    return {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}


def _answer(body: Mapping[str, Any]) -> Response:
    return JSONResponse(body, headers={"X-Shopify-API-Version": API_VERSION})
