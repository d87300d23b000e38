"""Goods on their way to us: suppliers, purchase orders, what is announced, what came, and what may be sold early."""
