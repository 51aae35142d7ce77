"""Help for the tests of top-ups."""

from typing import Any

LOST: dict[str, dict[str, Any]] = {
    "drop before": {"kind": "drop"},
    "drop after": {"kind": "drop", "when": "after"},
    "500 before": {"kind": "status", "status": 500},
    "500 after": {"kind": "status", "status": 500, "when": "after"},
    "html 503": {"kind": "html_503"},
    "html 503 after": {"kind": "html_503", "when": "after"},
    "truncated": {"kind": "truncate", "when": "after"},
    "empty 200": {"kind": "empty_200"},
    "empty 200 after": {"kind": "empty_200", "when": "after"},
    "not json": {"kind": "not_json", "when": "after"},
    "429": {"kind": "rate_limited", "headers": {"Retry-After": "0"}},
    "429 after": {"kind": "rate_limited", "headers": {"Retry-After": "0"}, "when": "after"},
    "expired token": {"kind": "expired_token"},
    "expired token after": {"kind": "expired_token", "when": "after"},
    "late": {"kind": "delay", "seconds": 0.8},
}
