"""Warnings: what is watched, when one opens and ends, whom it reaches, in what words; incidents and their causes."""
