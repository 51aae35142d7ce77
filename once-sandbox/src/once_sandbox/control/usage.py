"""/control/usage: devices use their SIMs."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Body

from once_sandbox.clock import as_moment, midnight
from once_sandbox.control.schemas import Iccid, Usage
from once_sandbox.control.sims import any_sim
from once_sandbox.deps import CurrentWorld
from once_sandbox.errors import ApiError
from once_sandbox.usage.booking import Traffic, book_data
from once_sandbox.usage.service import kept_since, usage_days
from once_sandbox.wire import Json
from once_sandbox.world import World

router = APIRouter(prefix="/control/usage", tags=["Control: usage"])


@router.get("")
async def read_usage(iccid: Iccid, first: date, last: date, world: CurrentWorld) -> list[Json]:
    """What the SIM really used on each day from `first` to `last`, in bytes and messages."""
    days = usage_days(world, any_sim(world, iccid), first, last)
    return [{"day": day.isoformat(), **asdict(volumes)} for day, volumes in reversed(days)]


@router.post("")
async def drive_usage(
    wanted: Usage | Annotated[list[Usage], Body(max_length=20_000)], world: CurrentWorld
) -> Json:
    """Book traffic of one SIM or of many; what the network refuses is listed with its cause."""
    entries = wanted if isinstance(wanted, list) else [wanted]
    booked, volume, refused = 0, 0, []
    for entry in entries:
        traffic = _traffic(entry)
        cause = _book(world, entry, traffic)
        if cause is not None:
            refused.append({"iccid": entry.iccid, "cause": cause})
        else:
            booked += 1
            volume += traffic.sent + traffic.received
    if refused and refused[0]["cause"] == "UNKNOWN_SIM" and len(entries) == 1:
        raise ApiError(404, f"SIM {entries[0].iccid} not found")
    return {"booked": booked, "bytes": volume, "refused": refused}


def _traffic(entry: Usage) -> Traffic:
    sent = entry.bytes if entry.bytes is not None else entry.sent_bytes or 0
    return Traffic(sent, entry.received_bytes or 0, entry.imei.ljust(16, "0") if entry.imei else None)


def _book(world: World, entry: Usage, traffic: Traffic) -> str | None:
    sim, now = world.sims.get(entry.iccid), world.clock.now()
    if sim is None:
        return "UNKNOWN_SIM"
    if entry.at is None:
        return book_data(world, sim, traffic)
    moment = as_moment(entry.at)
    if not midnight(kept_since(world.clock.today())) <= moment <= now:
        raise ApiError(422, f"at: {entry.at.isoformat()} is not within the sandbox's last six months")
    with world.clock.at(moment):
        return book_data(world, sim, traffic)
