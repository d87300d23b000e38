"""Where a store's credentials come from: typed unseen, or read from a file or a pipe, never from the command line."""

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from core.errors import ConfigError
from core.model import Platform


@dataclass(frozen=True, slots=True)
class Asked:
    """One credential as its platform names it, and where a merchant finds it."""

    name: str
    where: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What a platform asks for: one of the ``ways``, each a complete set; ``made`` is chosen by us when not given."""

    ways: Sequence[Sequence[Asked]]
    made: Sequence[str] = ()

    @property
    def names(self) -> set[str]:
        return {asked.name for way in self.ways for asked in way} | set(self.made)


NEEDS: Mapping[Platform, Needs] = {
    Platform.SHOPIFY: Needs(
        ways=(
            (
                Asked("client_id", "Dev Dashboard: your app, Settings; leave it empty when you have an access token"),
                Asked("client_secret", "Dev Dashboard: your app, Settings"),
            ),
            (
                Asked("access_token", "Shopify: Settings, Apps, Develop apps: the Admin API access token (shpat_...)"),
                Asked("api_secret", "the same page: the API secret key"),
            ),
        )
    ),
    Platform.WOOCOMMERCE: Needs(
        ways=(
            (
                Asked(
                    "consumer_key", "WordPress: WooCommerce, Settings, Advanced, REST API: a Read/Write key (ck_...)"
                ),
                Asked("consumer_secret", "the same page, shown once (cs_...)"),
            ),
        ),
        made=("webhook_secret",),
    ),
    Platform.BIGCOMMERCE: Needs(
        ways=(
            (
                Asked("store_hash", "the part of the API path after /stores/"),
                Asked("access_token", "Settings, Store-level API accounts"),
                Asked("client_secret", "the same API account"),
            ),
        ),
        made=("webhook_secret",),
    ),
}


def gather(platform: Platform, source: str, known: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """The credentials of a store, complete and with what we choose ourselves.

    ``source`` is a file, ``-`` for stdin, or empty: then a person at a terminal is asked, and a pipe is read.
    ``known`` are the store's credentials so far: what we chose stays. Raises: ConfigError, which never shows a value.
    """
    if not source and sys.stdin.isatty():
        return complete(platform, _ask(NEEDS[platform]), known)
    if source in ("", "-"):
        return complete(platform, parse(sys.stdin.read()), known)
    try:
        return complete(platform, parse(Path(source).read_text()), known)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{source} cannot be read: {why}; name a text file, or - for stdin") from error


def parse(text: str) -> Mapping[str, str]:
    """``NAME=VALUE`` lines or a JSON object of texts; blank lines and # comments count for nothing.

    Raises: ConfigError, which shows nothing of the text.
    """
    wrong = ConfigError("the credentials are neither NAME=VALUE lines nor a JSON object of texts")
    if text.lstrip().startswith("{"):
        try:
            read = json.loads(text)
        except ValueError:
            raise wrong from None
        if not all(isinstance(value, str) for value in read.values()):
            raise wrong
        return {name: value.strip() for name, value in read.items()}
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not all("=" in line for line in lines):
        raise wrong
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def complete(platform: Platform, given: Mapping[str, str], known: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Check the names and add the secrets that we choose. Raises: ConfigError, naming what is missing or unknown."""
    needs = NEEDS[platform]
    given = {name: value for name, value in given.items() if value}
    if unknown := sorted(given.keys() - needs.names):
        raise ConfigError(f"{platform} knows no credential {', '.join(unknown)}; it asks for {_ways(needs)}")
    if not any(all(asked.name in given for asked in way) for way in needs.ways):
        raise ConfigError(f"credentials are missing; {platform} asks for {_ways(needs)}")
    chosen = {name: (known or {}).get(name) or secrets.token_urlsafe(32) for name in needs.made}
    return {**chosen, **given}


def _ways(needs: Needs) -> str:
    return ", or ".join(" and ".join(asked.name for asked in way) for way in needs.ways)


def _ask(needs: Needs) -> Mapping[str, str]:
    """Ask for one way after the other; an empty first answer moves on to the next. Nothing typed is shown."""
    for way in needs.ways:
        last = way is needs.ways[-1]
        typed: dict[str, str] = {}
        for asked in way:
            typer.echo(f"{asked.name}: {asked.where}", err=True)
            may_be_empty = asked is way[0] and not last
            typed[asked.name] = typer.prompt(
                asked.name, hide_input=True, err=True, default="" if may_be_empty else None, show_default=False
            )
            if not typed[asked.name]:
                break
        else:
            return typed
    return {}


def tidy_url(platform: Platform, url: str) -> str:
    """A store's base URL as connectors want it; a bare name gets https://. Raises: ConfigError."""
    if not url and platform is Platform.BIGCOMMERCE:
        return "https://api.bigcommerce.com"
    if not url:
        raise ConfigError("where is the store? Add --url, like --url https://shop.example")
    return (url if "://" in url else f"https://{url}").rstrip("/")
