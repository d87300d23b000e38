"""Words that all sentences share. Pure."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 listing``, ``2 listings``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
