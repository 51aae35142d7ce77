"""Choosing the rules that hit a call."""

import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from once_sandbox.errors import ApiError
from once_sandbox.faults.schemas import PUSH_KINDS, ActiveRule, FaultRule

PUSH_PATHS = ("/push/usage", "/push/events")


@dataclass(slots=True)
class Faults:
    """All rules; chance is seeded, so a run can be repeated."""

    rules: dict[int, ActiveRule] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311  not for secrets
    added: int = 0

    def add(self, rule: FaultRule) -> ActiveRule:
        """Switch a rule on; raises ApiError 422 for a rule that could never hit."""
        if rule.kind in PUSH_KINDS and not any(fnmatchcase(path, rule.path) for path in PUSH_PATHS):
            raise ApiError(422, f"path: {rule.kind} works on {' and '.join(PUSH_PATHS)} only")
        self.added += 1
        active = ActiveRule(id=self.added, **rule.model_dump())
        self.rules[active.id] = active
        return active

    def remove(self, number: int) -> None:
        """Switch a rule off; raises ApiError 404."""
        if self.rules.pop(number, None) is None:
            raise ApiError(404, f"fault rule {number} not found")

    def hits(self, method: str, path: str, *, push: bool = False) -> list[ActiveRule]:
        """The rules that hit: of a call's, delays and then the first other one; of a push's, all."""
        hit: list[ActiveRule] = []
        for rule in list(self.rules.values()):
            if self._hits(rule, method, path, push=push):
                hit.append(rule)
                if not push and rule.kind != "delay":
                    break
        return hit

    def _hits(self, rule: ActiveRule, method: str, path: str, *, push: bool) -> bool:
        if (rule.kind in PUSH_KINDS) != push or rule.method not in {"*", method}:
            return False
        if not fnmatchcase(path, rule.path) or (rule.count is not None and rule.hits >= rule.count):
            return False
        rule.seen += 1
        if rule.seen <= rule.skip or self.chance.random() >= rule.share:
            return False
        rule.hits += 1
        return True
