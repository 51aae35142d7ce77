"""Attacks at the same time, round after round: `python -m tests.attack.attackers SECONDS NAME…`.

Reads the target as JSON. A process of its own, so that it costs those who measure nothing but the machine.
Prints a JSON object: for each attack its rounds, and what ended rounds early.
"""

import asyncio
import json
import sys
import time
from collections import Counter

from .attacks_broker import (
    flood,
    forbidden_subscriptions,
    large_messages,
    many_connections,
    many_sessions,
    undecodable_properties,
)
from .attacks_http import (
    dear_queries,
    heavy_readings,
    invented_sims,
    registration_flood,
    unfinished_messages,
    wide_workbooks,
)
from .target import Attack, Target

ATTACKS: dict[str, Attack] = {
    "registration flood": registration_flood,
    "dear queries": dear_queries,
    "heavy readings": heavy_readings,
    "wide workbooks": wide_workbooks,
    "invented SIMs": invented_sims,
    "unfinished messages of WebSockets": unfinished_messages,
    "MQTT flood": flood,
    "large MQTT messages": large_messages,
    "many MQTT connections": many_connections,
    "many persistent MQTT sessions": many_sessions,
    "forbidden MQTT subscriptions": forbidden_subscriptions,
    "undecodable AMQP properties": undecodable_properties,
}
"""Add yours here; see `target.Attack`."""
ROUND_SECONDS, SHORTEST_ROUND_SECONDS = 60.0, 10.0


async def repeat(attack: Attack, target: Target, until: float) -> Counter[str]:
    """How many rounds there were, and how often each kind of exception ended one."""
    seen: Counter[str] = Counter()
    seconds = min(ROUND_SECONDS, max(SHORTEST_ROUND_SECONDS, until - time.monotonic()))
    while not seen or time.monotonic() < until:
        seen["rounds"] += 1
        try:
            async with asyncio.timeout(seconds):
                seen += await attack(target)
        except Exception as error:
            seen[f"{type(error).__module__}.{type(error).__name__}"] += 1
            await asyncio.sleep(0.1)
    return seen


async def main(seconds: float, names: list[str]) -> None:
    target = Target.from_json(sys.stdin.read())
    until = time.monotonic() + seconds
    seen = await asyncio.gather(*(repeat(ATTACKS[name], target, until) for name in names))
    print(json.dumps(dict(zip(names, seen, strict=True))))


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), sys.argv[2:]))
