"""What is to be ordered again, moved between warehouses, or got rid of: how fast each item sells, and what follows."""
