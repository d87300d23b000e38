"""How fast things sell: what each day did to an item, and the pace that follows from it."""
