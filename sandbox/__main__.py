"""``python -P -m sandbox --seed N [--calm] [--shops shopify,woocommerce,bigcommerce]``."""

import argparse
import asyncio

from sandbox.app import PLATFORMS, Options, run


def options() -> Options:
    parser = argparse.ArgumentParser(prog="sandbox", description="Storefronts to practise on, with faults on request.")
    parser.add_argument("--seed", type=int, default=1, help="draws every fault (default 1)")
    parser.add_argument("--calm", action="store_true", help="no delays and no faults")
    parser.add_argument("--shops", default=",".join(PLATFORMS), help="comma-separated (default: all)")
    given = parser.parse_args()
    shops = [name.strip() for name in given.shops.split(",") if name.strip()]
    unknown = [name for name in shops if name not in PLATFORMS]
    if unknown or not shops:
        parser.error(f"--shops takes some of {', '.join(PLATFORMS)}")
    return Options(given.seed, given.calm, tuple(dict.fromkeys(shops)))


if __name__ == "__main__":
    asyncio.run(run(options()))
