"""Device keys: made, hashed, compared."""

import hashlib
import hmac
import re
import secrets

PREFIX = "dk_"
_KEY = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


def new_key() -> str:
    """A key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def looks_like_key(key: str) -> bool:
    """Whether `new_key` may have made it."""
    return _KEY.fullmatch(key) is not None


def hash_of(key: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def matches(key: str, key_hash: bytes) -> bool:
    """Whether the key is the one with that hash."""
    return hmac.compare_digest(hash_of(key), key_hash)
