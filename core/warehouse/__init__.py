"""Units that exist: warehouses and their bins, goods that change their place, totals by place."""
