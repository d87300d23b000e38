"""What an API key looks like: ``hf_<public id>_<secret>``. Pure, but for drawing a new one.

The secret is 256 random bits, of which one round of SHA-256 is kept: nobody guesses one value in 2**256, however fast
the hash is. Slow and salted hashes are for passwords, which people choose.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field

from core.errors import BadKey

_KEY = re.compile(r"hf_(?P<public_id>[0-9a-f]{16})_(?P<secret>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class KeyText:
    """An API key in clear: shown once, to the one who made it, and kept nowhere."""

    public_id: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"hf_{self.public_id}_{self.secret}"

    @property
    def secret_hash(self) -> bytes:
        """What is kept of the secret, 32 bytes."""
        return hashlib.sha256(self.secret.encode()).digest()


def draw() -> KeyText:
    """A new key, from the system's own randomness."""
    return KeyText(secrets.token_hex(8), secrets.token_hex(32))


def read(text: str) -> KeyText:
    """A key as somebody shows it. Raises: BadKey for what is none."""
    found = _KEY.fullmatch(text)
    if found is None:
        raise BadKey
    return KeyText(found["public_id"], found["secret"])
