"""Access tokens that are still valid, on the real clock: callers count their hour on theirs."""

import secrets
import time
from dataclasses import dataclass, field

_OPAQUE_BYTES = 2250
_MOST = 5000


@dataclass(slots=True)
class Tokens:
    """Token → the moment (monotonic seconds) at which it ends."""

    ends: dict[str, float] = field(default_factory=dict)
    issued: int = 0

    def issue(self, lifetime: float) -> str:
        """A new opaque token of about 3,000 characters."""
        now = time.monotonic()
        if len(self.ends) >= _MOST:
            self.ends = {token: end for token, end in list(self.ends.items())[_MOST // 2 :] if end > now}
        token = secrets.token_urlsafe(_OPAQUE_BYTES)
        self.ends[token] = now + lifetime
        self.issued += 1
        return token

    def valid(self, token: str) -> bool:
        """Whether the token still lets its bearer in."""
        return self.ends.get(token, 0.0) > time.monotonic()

    def expire(self, token: str | None = None) -> None:
        """End one token, or all of them."""
        if token is None:
            self.ends.clear()
        else:
            self.ends.pop(token, None)
