"""Every platform behind one port: their words to ours, and the safest way each has to set a number."""
