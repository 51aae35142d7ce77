"""Messages are sent and followed for organisations in turn, however many one of them has."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.scope import EVERYTHING
from fleet_kit.testing import eventually
from sim_service.carrier.models import CarrierSms
from sim_service.messages.sms.repository import SmsRepository
from sim_service.worker import periodic_tasks

from ..sms_support import sms_jobs
from ..support import Fleet, Organization
from ..test_plans import nodes, plan, queries

WRITTEN = """
    WITH written AS (
        INSERT INTO sms_messages (id, organization_id, iccid, direction, state, coding, payload,
                                  parts_total, at, look_at, failures)
        SELECT gen_random_uuid(), :owner, :iccid, 'mt', :state, 'text', :payload, 1,
               now() - interval '1 minute', now() - :age * interval '1 second', 0
        FROM generate_series(1, :number) RETURNING id, organization_id, iccid, payload
    )
    INSERT INTO sms_parts (id, message_id, organization_id, iccid, number, payload, state)
    SELECT gen_random_uuid(), id, organization_id, iccid, 1, payload, :state FROM written RETURNING 1
"""


async def written(
    fleet: Fleet, owner: Organization, iccid: str, *, number: int, state: str = "pending", age: int = 0
) -> None:
    """So many messages of an organisation that are due since `age` seconds."""
    await fleet.rows(
        WRITTEN, owner=owner.id, iccid=iccid, number=number, state=state, payload=str(owner.id), age=age
    )


@pytest.fixture
async def sims(fleet: Fleet) -> tuple[str, str]:
    """A SIM of ours and one of another organisation."""
    (ours,) = await fleet.owned_sims(1)
    theirs = fleet.sandbox.sims()[1].iccid
    await fleet.claim(theirs, by=fleet.theirs)
    for owner in (fleet.ours, fleet.theirs):
        await fleet.grant(owner)
    return ours, theirs


async def test_a_message_does_not_wait_for_thousands_of_another_organisation(
    fleet: Fleet, sims: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours fell due before it."""
    await written(fleet, fleet.ours, sims[0], number=3000, age=30)
    await written(fleet, fleet.theirs, sims[1], number=1)
    carrier, sent, found = fleet.app.state.resources.carrier, list[str](), asyncio.Event()

    async def send_sms(iccid: str, *_: Any, **__: Any) -> str:
        sent.append(iccid)
        if iccid == sims[1] or len(sent) > 100:
            found.set()
            await asyncio.Event().wait()
        return f"id{len(sent)}"

    monkeypatch.setattr(carrier, "send_sms", send_sms)
    sending = asyncio.create_task(sms_jobs(fleet).send_due())
    try:
        await asyncio.wait_for(found.wait(), 30)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert sims[1] in sent[:16]


async def test_slow_messages_of_one_organisation_keep_no_other_waiting(
    fleet: Fleet, sims: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that falls due only when they are under way."""
    await written(fleet, fleet.ours, sims[0], number=20)
    carrier, sent, never = fleet.app.state.resources.carrier, list[str](), asyncio.Event()

    async def send_sms(iccid: str, *_: Any, **__: Any) -> str:
        sent.append(iccid)
        if iccid == sims[0]:
            await never.wait()
        return "1"

    async def some_sent() -> bool:
        return sims[0] in sent

    async def theirs_sent() -> bool:
        return sims[1] in sent

    monkeypatch.setattr(carrier, "send_sms", send_sms)
    sending = asyncio.create_task(sms_jobs(fleet).send_due())
    try:
        await eventually(some_sent)
        await written(fleet, fleet.theirs, sims[1], number=1)
        await eventually(theirs_sent)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_messages_are_followed_for_organisations_in_turn(fleet: Fleet, sims: tuple[str, str]) -> None:
    await written(fleet, fleet.ours, sims[0], number=1000, state="sent", age=30)
    await written(fleet, fleet.theirs, sims[1], number=1, state="sent")
    async with fleet.sessions.begin() as session:
        due = await SmsRepository(session, EVERYTHING).claim_to_follow(10, ())
    assert {sim.iccid for sim in due} == set(sims)
    left = await fleet.rows("SELECT 1 FROM sms_messages WHERE look_at <= now()")
    assert not left, "one answer of the carrier shows all messages of a SIM"


async def test_slow_answers_about_one_organisation_keep_no_other_waiting(
    fleet: Fleet, sims: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of what is to be followed only when they are under way."""
    for number in range(20):
        await written(fleet, fleet.ours, f"ours{number}", number=1, state="sent", age=30)
    asked, never = list[str](), asyncio.Event()

    async def list_sms(iccid: str, *_: Any, **__: Any) -> list[CarrierSms]:
        asked.append(iccid)
        if iccid.startswith("ours"):
            await never.wait()
        return []

    async def some_asked() -> bool:
        return bool(asked)

    async def theirs_asked() -> bool:
        return sims[1] in asked

    monkeypatch.setattr(fleet.app.state.resources.carrier, "list_sms", list_sms)
    following = asyncio.create_task(sms_jobs(fleet).poll_due())
    try:
        await eventually(some_asked)
        await written(fleet, fleet.theirs, sims[1], number=1, state="sent")
        await eventually(theirs_asked)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_incomplete_messages_do_not_wait_until_all_others_were_followed(fleet: Fleet) -> None:
    await fleet.rows(INCOMPLETE, owner=fleet.theirs.id)
    task = periodic_tasks(fleet.settings, fleet.app.state.resources)["incomplete sms"]
    running = asyncio.ensure_future(task())

    async def shown() -> bool:
        return bool(await fleet.rows("SELECT 1 FROM sms_messages WHERE state = 'received'"))

    try:
        await eventually(shown)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


INCOMPLETE = """
    INSERT INTO sms_messages (id, organization_id, iccid, direction, state, coding, payload, reference,
                              parts_total, at, look_at, failures)
    VALUES (gen_random_uuid(), :owner, '1', 'mo', 'pending', 'text', 'half', 1, 2, now() - interval '2 days',
            now(), 0) RETURNING 1
"""


@pytest.mark.parametrize("state", ["pending", "sent"])
async def test_whose_turn_it_is_is_found_along_an_index(
    fleet: Fleet, sims: tuple[str, str], state: str
) -> None:
    """By the planner's own choice, among thousands of rows of one organisation."""
    await written(fleet, fleet.ours, sims[0], number=5000, state=state)
    await written(fleet, fleet.theirs, sims[1], number=1, state=state)
    engine: AsyncEngine = fleet.app.state.resources.engine
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE sms_messages"))
    with queries(engine) as asked:
        async with fleet.app.state.resources.sessions() as session:
            messages = SmsRepository(session, EVERYTHING)
            await (messages.claim_to_send(8, ()) if state == "pending" else messages.claim_to_follow(8, ()))
            await session.rollback()
    statement, given = next((one, asked[one]) for one in asked if "owners" in one)
    read = [node for node in nodes(await plan(engine, statement, given)) if "Relation Name" in node]
    assert "Seq Scan" not in {node["Node Type"] for node in read}
    assert max(node["Plan Rows"] for node in read if node.get("Index Name") == "pk_sms_messages") < 200
