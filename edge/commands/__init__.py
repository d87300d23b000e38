"""The commands of ``holdfast``, by subject. Heavy parts load inside them, so that ``--help`` answers at once."""
