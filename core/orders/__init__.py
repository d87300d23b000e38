"""Stores' orders and our own: from their newest state to what they hold."""
