"""Proof by use: the demo, the replay of real orders, and the referee that trusts none of our code."""
