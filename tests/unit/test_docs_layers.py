"""The pictures for planners show the layers, buckets and documents that the code has, and no others."""

import re
from pathlib import Path

import pytest

from core.stock import BUCKETS, Bucket, DocumentKind, Layer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "layers.md").read_text()
PICTURES = re.findall(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)
ARROW = re.compile(r"^\s*(\w+) -->\|([^|]+)\| (\w+)$", re.MULTILINE)
# Its movements are those of the document that it takes back.
WITHOUT_ARROW = {DocumentKind.REVERSAL}


def layer_of(picture: str) -> Layer:
    (name,) = re.findall(r"subgraph (\w+)", picture)
    return Layer(name)


def nodes(picture: str) -> dict[str, str]:
    return dict(re.findall(r"^\s*(\w_\w+)\[(\w+)\]$", picture, re.MULTILINE))


def test_each_layer_has_its_picture() -> None:
    assert sorted(map(layer_of, PICTURES)) == sorted(Layer)


@pytest.mark.parametrize("picture", PICTURES, ids=layer_of)
def test_a_picture_shows_the_buckets_of_its_layer(picture: str) -> None:
    assert sorted(nodes(picture).values()) == sorted(BUCKETS[layer_of(picture)])


@pytest.mark.parametrize("picture", PICTURES, ids=layer_of)
def test_arrows_join_buckets_of_the_picture_and_are_named_after_documents(picture: str) -> None:
    known = {*nodes(picture), Bucket.WORLD.value}
    arrows = ARROW.findall(picture)
    assert len(arrows) == picture.count("-->")
    for start, names, end in arrows:
        assert {start, end} <= known
        assert {DocumentKind(name) for name in names.split(", ")}


def test_every_document_has_an_arrow() -> None:
    named = {name for picture in PICTURES for _, names, _ in ARROW.findall(picture) for name in names.split(", ")}
    assert named | WITHOUT_ARROW == set(DocumentKind)


def test_the_table_names_the_buckets_of_each_layer() -> None:
    for layer, buckets in BUCKETS.items():
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {layer} |")]
        assert row.rsplit("|", 2)[1].strip() == ", ".join(buckets)
