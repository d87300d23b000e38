"""Credentials come in complete, or not at all; and no error ever shows one."""

import io
import sys
from pathlib import Path

import pytest

from core.errors import ConfigError
from core.model import Platform
from edge.commands.credentials import NEEDS, complete, gather, parse, tidy_url

WOO = {"consumer_key": "ck_visible", "consumer_secret": "cs_hidden"}


class NoTerminal(io.StringIO):
    def isatty(self) -> bool:
        return False


def test_lines_and_json_say_the_same() -> None:
    lines = "# from the shop\n\nconsumer_key = ck_visible\nconsumer_secret=cs_hidden\n"
    as_json = '{"consumer_key": "ck_visible", "consumer_secret": " cs_hidden "}'

    assert parse(lines) == parse(as_json) == WOO


def test_a_value_may_hold_equals_signs() -> None:
    assert parse("access_token=abc==") == {"access_token": "abc=="}


@pytest.mark.parametrize(
    "text", ["cs_hidden", '{"consumer_secret": cs_hidden}', '{"consumer_secret": {"cs_hidden": 1}}']
)
def test_unreadable_credentials_are_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)

    assert "cs_hidden" not in str(refused.value)


def test_what_is_missing_is_named_and_what_is_there_is_not_shown() -> None:
    with pytest.raises(ConfigError, match="consumer_key and consumer_secret") as refused:
        complete(Platform.WOOCOMMERCE, {"consumer_secret": "cs_hidden"})

    assert "cs_hidden" not in str(refused.value)


def test_a_name_of_another_platform_is_refused() -> None:
    with pytest.raises(ConfigError, match="knows no credential access_token"):
        complete(Platform.WOOCOMMERCE, {**WOO, "access_token": "t"})


def test_shopify_takes_either_way_but_not_half_of_each() -> None:
    token = {"access_token": "t", "api_secret": "s"}

    assert complete(Platform.SHOPIFY, token) == token
    assert complete(Platform.SHOPIFY, {"client_id": "c", "client_secret": "s"})
    with pytest.raises(ConfigError, match="client_id and client_secret, or access_token and api_secret"):
        complete(Platform.SHOPIFY, {"access_token": "t", "client_secret": "s"})


def test_our_own_secret_is_made_once_and_kept_over_new_credentials() -> None:
    first = complete(Platform.WOOCOMMERCE, WOO)
    renewed = complete(Platform.WOOCOMMERCE, {**WOO, "consumer_secret": "cs_new"}, known=first)

    assert len(first["webhook_secret"]) >= 32
    assert complete(Platform.WOOCOMMERCE, WOO)["webhook_secret"] != first["webhook_secret"]
    assert renewed["webhook_secret"] == first["webhook_secret"]
    assert renewed["consumer_secret"] == "cs_new"


def test_credentials_come_from_a_pipe_when_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", NoTerminal("consumer_key=ck_visible\nconsumer_secret=cs_hidden\n"))

    assert gather(Platform.WOOCOMMERCE, "").items() >= WOO.items()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.json cannot be read"):
        gather(Platform.WOOCOMMERCE, str(tmp_path / "nowhere.json"))


def test_every_platform_says_where_its_credentials_are_found() -> None:
    assert set(NEEDS) == set(Platform)
    assert all(asked.where for needs in NEEDS.values() for way in needs.ways for asked in way)


@pytest.mark.parametrize(
    ("platform", "given", "tidied"),
    [
        (Platform.SHOPIFY, "x.myshopify.com/", "https://x.myshopify.com"),
        (Platform.WOOCOMMERCE, "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (Platform.BIGCOMMERCE, "", "https://api.bigcommerce.com"),
    ],
)
def test_an_address_is_tidied(platform: Platform, given: str, tidied: str) -> None:
    assert tidy_url(platform, given) == tidied


def test_a_store_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="--url"):
        tidy_url(Platform.SHOPIFY, "")
