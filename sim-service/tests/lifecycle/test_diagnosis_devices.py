"""Diagnoses that depend on the device or on what is known of the SIM."""

from datetime import timedelta
from uuid import uuid4

import pytest

from once_sandbox.connectivity import sessions as network

from ..support import Fleet
from .diagnosis_support import Patient, link


async def test_a_silent_device_with_a_session_is_not_the_networks_fault(patient: Patient) -> None:
    await patient.heard("offline")
    cause = await patient.found("DEVICE_SILENT_WHILE_CONNECTED")
    assert (cause["verdict"], cause["evidence"]["device_id"]) == ("silent", str(patient.device_id))


async def test_a_silent_device_without_one(patient: Patient) -> None:
    network.detach(patient.world, patient.sim)
    await patient.heard("offline")
    assert (await patient.found("DEVICE_SILENT"))["first"] == "OFFLINE"


async def test_a_device_that_was_never_heard(patient: Patient) -> None:
    other = await patient.fleet.device()
    await link(patient.fleet, patient.iccid, other)
    cause = await patient.found("DEVICE_NEVER_HEARD")
    assert (cause["verdict"], cause["body"]["device_id"]) == ("silent", str(other))


async def test_a_device_that_reports_without_this_sim(patient: Patient) -> None:
    network.detach(patient.world, patient.sim)
    assert (await patient.found("DEVICE_HEARD_OTHERWISE"))["severity"] == "info"


async def test_in_no_device(patient: Patient) -> None:
    await patient.fleet.ours.operator.delete(f"/sims/{patient.iccid}/device")
    cause = await patient.found("NOT_LINKED")
    assert (cause["severity"], cause["verdict"]) == ("info", "fine")


@pytest.mark.parametrize("profile", ["spec", "recorded"])
async def test_unknown_at_the_carrier(patient: Patient, profile: str) -> None:
    del patient.world.sims.by_iccid[patient.iccid]
    if profile == "recorded":
        patient.world.behaviours.unknown_iccid = "empty_200"
    cause = await patient.found("SIM_UNKNOWN_AT_CARRIER")
    assert (cause["verdict"], cause["first"]) == ("blocked", "SIM_UNKNOWN_AT_CARRIER")


async def test_in_another_account(patient: Patient) -> None:
    patient.sim.organisation = 27_000
    cause = await patient.found("SIM_IN_ANOTHER_ACCOUNT")
    assert (cause["verdict"], cause["first"]) == ("blocked", "SIM_IN_ANOTHER_ACCOUNT")


async def test_missing_since_the_last_sync(patient: Patient) -> None:
    del patient.world.sims.by_iccid[patient.iccid]
    await patient.fleet.sync()
    patient.fleet.sandbox.broken = 503
    cause = await patient.found("SIM_MISSING_AT_CARRIER")
    assert (cause["verdict"], cause["evidence"]["missing_since"] is not None) == ("blocked", True)


async def test_while_the_carrier_is_away_it_goes_by_what_is_known(patient: Patient) -> None:
    network.detach(patient.world, patient.sim)
    await patient.diagnosis()
    patient.fleet.sandbox.broken = 503
    away = await patient.found("CARRIER_AWAY")
    assert (away["verdict"], away["first"], away["severity"]) == ("silent", "OFFLINE", "info")
    stale = {one["what"]: one["stale_reason"] for one in away["body"]["checked"]}
    assert stale["connectivity"] == stale["data_quota"] == "CARRIER_UNAVAILABLE"
    assert stale["device"] is None


async def test_with_nothing_known_and_nobody_to_ask_it_says_so(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fleet.sandbox.broken = 503
    body = (await fleet.ours.viewer.get(f"/sims/{iccid}/diagnosis")).json()
    assert body["verdict"] == "unknown"
    assert {cause["code"] for cause in body["causes"]} == {"CARRIER_AWAY", "NOT_LINKED"}


async def test_without_v1_the_diagnosis_is_whole(patient: Patient) -> None:
    patient.world.behaviours.v1_enabled = False
    network.block(patient.world, patient.sim, blocked=True)
    assert (await patient.found("SIM_BLOCKED"))["verdict"] == "blocked"


async def test_others_get_nothing(patient: Patient) -> None:
    assert (await patient.fleet.theirs.admin.get(f"/sims/{patient.iccid}/diagnosis")).status_code == 404
    assert (await patient.fleet.anyone.get(f"/sims/{patient.iccid}/diagnosis")).status_code == 401


async def test_presence_follows_the_newest_news_whatever_the_order(patient: Patient) -> None:
    await patient.heard("offline", timedelta(minutes=10))
    assert (await patient.diagnosis())["verdict"] == "fine"
    unheard_of = Patient(patient.fleet, patient.iccid, await patient.fleet.device())
    rows = await patient.fleet.rows(
        "SELECT online, last_seen_at FROM device_facts WHERE id = :id", id=unheard_of.device_id
    )
    assert rows == [(None, None)]


async def test_presence_may_come_before_the_device_itself(patient: Patient) -> None:
    early = Patient(patient.fleet, patient.iccid, uuid4())
    await early.heard("online")
    await patient.fleet.device(id=early.device_id)
    await early.heard("offline", timedelta(seconds=-5))
    (row,) = await patient.fleet.rows(
        "SELECT name, online FROM device_facts WHERE id = :id", id=early.device_id
    )
    assert (row.name, row.online) == ("pump", False)
