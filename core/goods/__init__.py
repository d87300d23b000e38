"""What is sold and how much of it is there: items, packs, bundles and kits, receipts and adjustments."""
