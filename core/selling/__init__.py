"""What a store may show, why, and by whose rule."""
