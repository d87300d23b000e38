"""Our reading of webhooks against BigCommerce's sample payloads and the vectors of the signature scheme it names."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.bigcommerce.webhooks import OUR_HEADER, hints, verify
from core.errors import BadSignature


def test_bigcommerces_signature_vectors_are_judged_as_they_say(contracts: Path) -> None:
    vectors = json.loads((contracts / "bigcommerce" / "webhooks" / "signature_vectors.json").read_text("utf-8"))

    for vector in vectors["vectors"]:
        headers = {**vector["headers"], OUR_HEADER: "ours"}
        sent_at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        known = {"webhook_secret": "ours", "client_secret": vector["client_secret"], "now": sent_at}
        if vector["valid"]:
            verify(headers, vector["raw_body"].encode(), **known)
        else:
            with pytest.raises(BadSignature):
                verify(headers, vector["raw_body"].encode(), **known)


def test_every_sample_payload_is_understood(contracts: Path) -> None:
    samples = sorted((contracts / "bigcommerce" / "webhooks" / "payloads").glob("*.json"))

    understood = {sample.stem: hints({}, sample.read_bytes()) for sample in samples}

    ignored = {name for name, found in understood.items() if not found}
    assert ignored == {
        "store_cart_converted",
        "store_hook_deliveryException",
        "store_inventory_location_created",
        "store_inventory_location_updated",
    }
