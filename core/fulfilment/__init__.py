"""What warehouses are to send of paid orders, what was handed over there, and what has left."""
