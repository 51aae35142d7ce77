"""Made-up usage records in quantity, for those who want to load their receiver."""

from once_sandbox.connectivity.service import connection_of
from once_sandbox.sandbox import Sandbox
from once_sandbox.streams.models import Stream
from once_sandbox.usage.models import UsageDay
from once_sandbox.usage.records import usage_record
from once_sandbox.wire import Json


def burst(sandbox: Sandbox, stream: Stream, records: int, duplicates: float) -> int:
    """Queue records that belong to no booked traffic; that share of them repeats an earlier one."""
    world, chance = sandbox.world, sandbox.faults.chance
    sims = world.sims.own()
    made: list[Json] = []
    now = world.clock.now()
    for number in range(records if sims else 0):
        if made and chance.random() < duplicates:
            made.append(made[chance.randrange(len(made))])
            continue
        sim = sims[number % len(sims)]
        volumes = UsageDay(sent=chance.randrange(1_000, 500_000), received=chance.randrange(1_000, 100_000))
        made.append(usage_record(world, sim, connection_of(world, sim), (now - 900, now), volumes))
    stream.queue.extend(made)
    return len(made)
