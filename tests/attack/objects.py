"""An object of each kind that organisation A owns."""

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from fleet_kit.testing import eventually

from ..sim_support import GRANT, Carrier, own_sims, platform_admin
from .world import World, new_policy

SIMS = 12
"""Two are everybody's, the others for those who give one away."""


async def furnish(world: World, carrier: Carrier) -> None:
    """Make an object of every kind."""
    admin = await platform_admin(world.fleet, world.owner)
    world.spare_sims = await own_sims(world.owner, admin, carrier, SIMS)
    for owner in world.owners:
        await admin.call("PUT", f"/sim/grants/{owner}", json=GRANT)
    iccid, other = world.spare_sims.pop(), world.spare_sims.pop()
    (free,) = await carrier.new_sims(1)
    assert (await admin.call("POST", f"/sims/{free}/sync")).is_success
    world.objects |= {"iccid": iccid, "other_iccid": other, "free_iccid": free}
    await _furnish_sim(world, f"/sims/{iccid}")
    await eventually(partial(_device_is_known, world), timeout=90)
    for name, path, body in (
        ("policy_id", "/topup-policies", new_policy()),
        ("ticket_id", "/support-tickets", {"subject": "no signal", "text": "since noon"}),
        ("job_id", "/jobs", {"kind": "sync_usage"}),
        ("request_id", "/orders", {"products": [{"product_id": 1001, "quantity": 1}]}),
    ):
        world.objects[name] = (await world.made(path, body))["id"]
    await _furnish_orders(world)


async def _device_is_known(world: World) -> bool:
    """To the two services that are told of it."""
    device_id = world.objects["device_id"]
    link = await world.owner.call(
        "PUT", f"/sims/{world.objects['iccid']}/device", json={"device_id": device_id}
    )
    data = await world.owner.call("GET", f"/monitoring/data/{device_id}")
    return link.is_success and data.is_success


async def _furnish_sim(world: World, path: str) -> None:
    changed = await world.owner.call("PATCH", path, json={"label": "roof"})
    assert changed.status_code == 202, changed.text
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    world.objects |= {
        "action_id": changed.json()["actions"][0]["id"],
        "top_up_id": (await world.made(f"{path}/topup"))["id"],
        "message_id": (await world.made(f"{path}/sms", {"text": "hello", "send_at": tomorrow}))["id"],
    }


async def _furnish_orders(world: World) -> None:
    """What takes the carrier its time, or a SIM whose quota ends, is written as the worker would."""
    number, proposal = uuid4().hex[:12], str(uuid4())
    owner = world.owner.organization_id
    await world.execute(
        "sim",
        "INSERT INTO orders"
        " (number, carrier, organization_id, kind, state, placed_at, products, synced_at)"
        " VALUES ($1, 'once', $2, 'topup', 'completed', now(), '[]', now())",
        number,
        owner,
    )
    await world.execute(
        "sim",
        "INSERT INTO policy_proposals (id, organization_id, policy_id, state, iccids, amount, currency)"
        " VALUES ($1, $2, $3, 'pending', $4, 1, 'EUR')",
        proposal,
        owner,
        world.objects["policy_id"],
        [world.objects["iccid"]],
    )
    import_id = world.objects["job_id"]
    await world.execute(
        "sim",
        "INSERT INTO sim_imports (job_id, organization_id) VALUES ($1, $2)",
        import_id,
        owner,
    )
    world.objects |= {"number": number, "proposal_id": proposal, "import_id": import_id}
