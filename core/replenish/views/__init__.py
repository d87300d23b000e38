"""What replenishment reads and shows: a few statements for any number of items."""
