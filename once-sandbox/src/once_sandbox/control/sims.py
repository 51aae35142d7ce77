"""/control/sims and /control/reset: the SIMs as they really are."""

from dataclasses import asdict

from fastapi import APIRouter

from once_sandbox.behaviours.schemas import profile
from once_sandbox.clock import as_moment
from once_sandbox.connectivity.service import connection_of
from once_sandbox.control.schemas import Iccid, NewSims, Reset, SimChange
from once_sandbox.deps import CurrentSandbox, CurrentWorld
from once_sandbox.errors import ApiError
from once_sandbox.orders.payment import new_sim
from once_sandbox.sims.models import ORGANISATION, Sim
from once_sandbox.sims.seed import seeded_sim
from once_sandbox.sims.service import apply_planned
from once_sandbox.sims.transfer import OTHER_ORGANISATION
from once_sandbox.streams.service import listen
from once_sandbox.usage.service import usage_of
from once_sandbox.wire import MEGABYTE, Json, zulu
from once_sandbox.world import World, make_world

router = APIRouter(prefix="/control", tags=["Control: SIMs"])


def truth(world: World, sim: Sim) -> Json:
    """Everything the sandbox knows of a SIM; volumes in bytes."""
    return {
        "iccid": sim.iccid,
        "iccid_with_luhn": sim.iccid_with_luhn,
        "imei": sim.imei,
        "imei_lock": sim.imei_lock,
        "label": sim.label,
        "enabled": sim.enabled,
        "foreign": sim.organisation != ORGANISATION,
        "auto_topup": sim.auto_topup,
        "activated_at": zulu(sim.activated_at),
        "expires_at": zulu(sim.data.expires_at),
        "data": {"granted": sim.data.granted, "used": sim.data.used, "remaining": sim.data.remaining},
        "sms": {"granted": sim.sms.granted, "used": sim.sms.used, "remaining": sim.sms.remaining},
        "today": asdict(usage_of(world, sim, world.clock.today())),
        "connection": asdict(connection_of(world, sim)),
    }


def any_sim(world: World, iccid: str) -> Sim:
    """The SIM, whoever owns it; raises ApiError 404."""
    sim = world.sims.get(iccid)
    if sim is None:
        raise ApiError(404, f"SIM {iccid} not found")
    return sim


@router.post("/reset")
async def reset(wanted: Reset, sandbox: CurrentSandbox) -> Json:
    """A new world; tokens, fault rules and pushes stay."""
    settings = sandbox.settings
    behaviours = sandbox.world.behaviours if wanted.profile is None else profile(wanted.profile)
    sandbox.world = make_world(
        sims=settings.sims if wanted.sims is None else wanted.sims,
        seed=settings.seed if wanted.seed is None else wanted.seed,
        behaviours=behaviours,
    )
    listen(sandbox)
    return {"sims": len(sandbox.world.sims.by_iccid), "seed": sandbox.world.seed}


@router.post("/sims", status_code=201)
async def add_sims(wanted: NewSims, world: CurrentWorld) -> Json:
    """More SIMs."""
    if wanted.fresh:
        return {"iccids": [new_sim(world, 1001).iccid for _ in range(wanted.count)]}
    added = []
    for _ in range(wanted.count):
        sim = seeded_sim(world.seed, world.sims.next_index, world.born_at)
        world.sims.add(sim)
        added.append(sim.iccid)
    return {"iccids": added}


@router.get("/sims/{iccid}")
async def read_sim(iccid: Iccid, world: CurrentWorld) -> Json:
    """The truth about a SIM."""
    return truth(world, any_sim(world, iccid))


@router.patch("/sims/{iccid}")
async def change_sim(iccid: Iccid, change: SimChange, world: CurrentWorld) -> Json:
    """Change the truth about a SIM."""
    sim = any_sim(world, iccid)
    _change_card(world, sim, change)
    _change_volumes(world, sim, change)
    return truth(world, sim)


def _change_card(world: World, sim: Sim, change: SimChange) -> None:
    wanted = change.model_dump(include={"label", "imei_lock"}, exclude_none=True)
    if change.enabled is not None:
        wanted["status"] = "Enabled" if change.enabled else "Disabled"
    apply_planned(world, iccid=sim.iccid, change=wanted)
    sim.imei = change.imei or sim.imei
    if change.foreign is not None:
        sim.organisation = OTHER_ORGANISATION if change.foreign else ORGANISATION


def _change_volumes(world: World, sim: Sim, change: SimChange) -> None:
    now = world.clock.now()
    if change.remaining_mb is not None:
        sim.data.set_remaining(int(change.remaining_mb * MEGABYTE), now)
    if change.remaining_sms is not None:
        sim.sms.set_remaining(change.remaining_sms, now)
    expires = None if change.expires_at is None else as_moment(change.expires_at)
    if change.expires_in_seconds is not None:
        expires = now + change.expires_in_seconds
    if expires is not None:
        sim.data.expires_at = sim.sms.expires_at = expires
        world.schedule.plan(max(now, expires), "quotas.expire", iccid=sim.iccid)
