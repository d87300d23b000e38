"""Stocktakes: goods are counted while they are sold, and what the books got wrong is booked."""
