"""Words that others choose: keys of what they make, and names of holders that say nothing of a person."""

import re

from core.errors import Refused

_HOLDER = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_MOST = 200


def holder_of(text: str) -> str:
    """A word for who buys, as kept with promises for ever. Raises: Refused for what may be a name or an address."""
    if not _HOLDER.fullmatch(text):
        raise Refused(
            f"{text[:40]!r} cannot name a holder: give an opaque word of letters, digits and . _ : / + = -, such as a "
            "customer number or its hash; no name and no address is kept"
        )
    return text


def key_of(text: str, what: str = "key") -> str:
    """A key that somebody chose: printable, without blanks around it, not too long. Raises: Refused."""
    if not text or len(text) > _MOST or not text.isprintable() or text != text.strip():
        raise Refused(f"{text[:40]!r} is no {what}: give 1 to {_MOST} printable characters without blanks around them")
    return text
