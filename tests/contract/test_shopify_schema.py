"""Our documents and the sandbox's schema against Shopify's own schema of the same version."""

import gzip
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    is_specified_directive,
    is_specified_scalar_type,
    parse,
    validate,
)

from connectors.shopify import documents, webhooks

DOCUMENTS: Mapping[str, str] = {
    name: text
    for name, text in vars(documents).items()
    if name.isupper() and not name.startswith("_") and name != "API_VERSION"
}
PERSONAL = ("email", "phone", "address", "customer", "firstName", "lastName", "note", "clientIp", "displayAddress")


@pytest.fixture(scope="session")
def official(contracts: Path) -> GraphQLSchema:
    """Shopify's whole schema; building it takes seconds."""
    packed = contracts / "shopify" / f"admin-{documents.API_VERSION}.graphql.gz"
    return build_schema(gzip.decompress(packed.read_bytes()).decode(), assume_valid=True)


@pytest.fixture(scope="session")
def ours() -> GraphQLSchema:
    return build_schema(files("sandbox.shopify").joinpath("schema.graphql").read_text())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_valid_at_shopify(official: GraphQLSchema, name: str) -> None:
    assert validate(official, parse(DOCUMENTS[name])) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_valid_at_the_sandbox(ours: GraphQLSchema, name: str) -> None:
    assert validate(ours, parse(DOCUMENTS[name])) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_asks_for_nothing_personal(name: str) -> None:
    words = set(DOCUMENTS[name].replace("{", " ").replace("(", " ").split())

    assert words.isdisjoint(PERSONAL)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_of_an_address_a_document_asks_for_the_coarsest_parts_alone(name: str) -> None:
    asked = DOCUMENTS[name].partition("shippingAddress")[2]

    assert asked.count("shippingAddress") == 0
    assert not asked or asked.strip().partition("}")[0].split() == ["{", "countryCodeV2", "provinceCode", "zip"]


def test_a_document_with_a_field_that_is_gone_would_be_found_out(official: GraphQLSchema) -> None:
    stale = documents.LEVELS.replace("isActive", "available")

    assert validate(official, parse(stale)) != []


def test_the_topics_we_subscribe_to_exist_at_both(official: GraphQLSchema, ours: GraphQLSchema) -> None:
    for schema in (official, ours):
        topics = schema.type_map["WebhookSubscriptionTopic"]
        assert isinstance(topics, GraphQLEnumType)
        assert set(webhooks.SUBSCRIBED_TOPICS) <= set(topics.values)


def differences(ours: GraphQLSchema, official: GraphQLSchema) -> list[str]:
    """What our schema has that the official one lacks or types otherwise."""
    found: list[str] = []
    for name, kind in ours.type_map.items():
        theirs = official.type_map.get(name)
        if name.startswith("__") or is_specified_scalar_type(kind):
            continue
        if type(theirs) is not type(kind):
            found.append(f"{name} is no such type")
        elif isinstance(kind, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
            found += [f"{name}.{value}" for value in kind.values if value not in theirs.values]
        elif isinstance(kind, GraphQLInputObjectType) and isinstance(theirs, GraphQLInputObjectType):
            found += _input_differences(kind, theirs)
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            assert isinstance(theirs, GraphQLObjectType | GraphQLInterfaceType)
            found += _field_differences(kind, theirs)
    return found


def _input_differences(ours: GraphQLInputObjectType, theirs: GraphQLInputObjectType) -> list[str]:
    wrong = [
        f"{ours.name}.{name}"
        for name, each in ours.fields.items()
        if name not in theirs.fields or str(theirs.fields[name].type) != str(each.type)
    ]
    needed = {name for name, each in theirs.fields.items() if str(each.type).endswith("!")}
    return wrong + [f"{ours.name} lacks {name}" for name in needed - set(ours.fields)]


def _field_differences(
    ours: GraphQLObjectType | GraphQLInterfaceType, theirs: GraphQLObjectType | GraphQLInterfaceType
) -> list[str]:
    found: list[str] = []
    for name, field in ours.fields.items():
        other = theirs.fields.get(name)
        if other is None or str(other.type) != str(field.type):
            found.append(f"{ours.name}.{name}: {field.type}")
            continue
        if other.deprecation_reason:
            found.append(f"{ours.name}.{name} is deprecated")
        found += [
            f"{ours.name}.{name}({argument}: {each.type})"
            for argument, each in field.args.items()
            if argument not in other.args or str(other.args[argument].type) != str(each.type)
        ]
        needed = {argument for argument, each in other.args.items() if str(each.type).endswith("!")}
        found += [f"{ours.name}.{name} lacks ({argument})" for argument in needed - set(field.args)]
    return found


def test_all_that_the_sandbox_offers_exists_at_shopify_with_the_same_type(
    ours: GraphQLSchema, official: GraphQLSchema
) -> None:
    assert differences(ours, official) == []


def test_a_made_up_field_would_be_found_out(official: GraphQLSchema) -> None:
    text = files("sandbox.shopify").joinpath("schema.graphql").read_text()
    forged = build_schema(text.replace("tracked: Boolean!", "tracked: Int!").replace("  RETURN\n", "  MELTED\n"))

    assert differences(forged, official) == ["InventoryItem.tracked: Int!", "RefundLineItemRestockType.MELTED"]


def test_the_idempotency_directive_is_shopifys_own(ours: GraphQLSchema, official: GraphQLSchema) -> None:
    (directive,) = [each for each in ours.directives if not is_specified_directive(each)]
    theirs = official.get_directive(directive.name)

    assert theirs is not None
    assert {name: str(each.type) for name, each in theirs.args.items()} == {"key": "String!"}
    assert {name: str(each.type) for name, each in directive.args.items()} == {"key": "String!"}
    assert list(directive.locations) == list(theirs.locations)
