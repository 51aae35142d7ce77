"""Diagnoses: every cause shown by the real sandbox or by device events, and the healthy SIM."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from fleet_contracts.events import DeviceStatusChanged, DeviceStatusData
from once_sandbox.connectivity import sessions as network
from once_sandbox.events.service import events_of
from once_sandbox.sims.models import Sim as SandboxSim
from once_sandbox.sims.service import apply_planned
from once_sandbox.usage.booking import Traffic, book_data, book_sms
from once_sandbox.world import World

from .support import Fleet

MB = 1024 * 1024


class Patient:
    """A SIM that is online in a device that reports, until something is done to it."""

    def __init__(self, fleet: Fleet, iccid: str, device_id: UUID) -> None:
        self.fleet, self.iccid, self.device_id = fleet, iccid, device_id

    @property
    def world(self) -> World:
        return self.fleet.sandbox.sandbox.world

    @property
    def sim(self) -> SandboxSim:
        return self.world.sims.by_iccid[self.iccid]

    def send(self, megabytes: float = 0.1, imei: str | None = None) -> str | None:
        """The device sends; the cause if the network refuses."""
        return book_data(self.world, self.sim, Traffic(int(megabytes * MB), 0, imei))

    async def heard(self, status: str, ago: timedelta = timedelta()) -> None:
        """The device came online or fell silent."""
        seen = datetime.now(UTC) - ago
        data = DeviceStatusData.model_validate({"id": self.device_id, "status": status, "last_seen": seen})
        await self.fleet.device_events.handle(
            DeviceStatusChanged(
                source="device-service",
                subject=str(self.device_id),
                organizationid=self.fleet.ours.id,
                data=data,
            )
        )

    async def diagnosis(self) -> dict[str, Any]:
        answer = await self.fleet.ours.viewer.get(f"/sims/{self.iccid}/diagnosis")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def found(self, code: str) -> dict[str, Any]:
        """The cause of that code, which has to be among those found."""
        body = await self.diagnosis()
        causes = {cause["code"]: cause for cause in body["causes"]}
        assert code in causes, body
        assert causes[code]["explanation"]
        assert causes[code]["advice"]
        cause: dict[str, Any] = causes[code]
        return cause | {"verdict": body["verdict"], "first": body["causes"][0]["code"], "body": body}


async def link(fleet: Fleet, iccid: str, device_id: UUID) -> None:
    body = {"device_id": str(device_id)}
    assert (await fleet.ours.operator.put(f"/sims/{iccid}/device", json=body)).is_success


@pytest.fixture
async def patient(fleet: Fleet) -> Patient:
    always = {"quota_fresh_seconds": 0, "connectivity_fresh_seconds": 0, "event_fresh_seconds": 0}
    fleet.app.state.settings = fleet.settings.model_copy(update=always)
    (iccid,) = await fleet.owned_sims(1)
    device_id = await fleet.device()
    await link(fleet, iccid, device_id)
    patient = Patient(fleet, iccid, device_id)
    network.detach(patient.world, patient.sim)
    network.attach(patient.world, patient.sim, operator=1, rat=2)
    assert patient.send() is None
    await patient.heard("online")
    return patient


async def test_a_sim_that_works_is_called_fine(patient: Patient) -> None:
    body = await patient.diagnosis()
    assert (body["verdict"], body["causes"]) == ("fine", [])
    assert "online at Vodafone" in body["summary"]
    assert "reports" in body["summary"]
    checked = {one["what"]: one for one in body["checked"]}
    assert set(checked) == {"sim", "data_quota", "sms_quota", "connectivity", "events", "device"}
    assert not any(one["stale"] for one in checked.values())
    assert body["as_of"] is not None


async def test_disabled(patient: Patient) -> None:
    apply_planned(patient.world, iccid=patient.iccid, change={"status": "Disabled"})
    patient.send()
    cause = await patient.found("SIM_DISABLED")
    assert (cause["verdict"], cause["severity"], cause["first"]) == ("blocked", "critical", "SIM_DISABLED")
    assert cause["evidence"]["since"] is not None
    assert "DATA_BARRED" not in [one["code"] for one in cause["body"]["causes"]]


async def test_a_change_that_is_under_way(patient: Patient) -> None:
    patient.world.behaviours.update_lag_seconds = 3600
    change = {"status": "disabled"}
    answer = await patient.fleet.ours.operator.patch(f"/sims/{patient.iccid}", json=change)
    assert answer.status_code == 202, answer.text
    cause = await patient.found("STATUS_CHANGE_UNDER_WAY")
    assert (cause["evidence"]["desired_status"], cause["verdict"]) == ("disabled", "attention")


async def test_data_used_up(patient: Patient) -> None:
    patient.send(patient.sim.data.remaining / MB + 1)
    assert patient.send() == "QUOTA_EXHAUSTED"
    cause = await patient.found("DATA_QUOTA_EXHAUSTED")
    assert (cause["verdict"], cause["first"]) == ("blocked", "DATA_QUOTA_EXHAUSTED")
    assert cause["evidence"]["remaining"] <= 0


async def test_data_expired(patient: Patient) -> None:
    patient.sim.data.expires_at = patient.world.clock.now() - 60
    assert patient.send() == "QUOTA_EXPIRED"
    cause = await patient.found("DATA_QUOTA_EXPIRED")
    assert (cause["verdict"], cause["first"]) == ("blocked", "DATA_QUOTA_EXPIRED")
    assert "expired on" in cause["explanation"]


async def test_data_low(patient: Patient) -> None:
    patient.sim.data.set_remaining(10 * MB, patient.world.clock.now())
    cause = await patient.found("DATA_QUOTA_LOW")
    assert (cause["verdict"], cause["severity"]) == ("attention", "warning")
    assert "10.0 MB" in cause["explanation"]


async def test_messages_used_up(patient: Patient) -> None:
    patient.sim.sms.set_remaining(1, patient.world.clock.now())
    assert book_sms(patient.world, patient.sim, sent_by_sim=True)
    cause = await patient.found("SMS_QUOTA_EXHAUSTED")
    assert cause["verdict"] == "attention"


async def test_the_monthly_limit_of_the_account(patient: Patient) -> None:
    patient.world.volume_limits.data = 1
    patient.send(2)
    assert patient.send() == "MONTHLY_USAGE_LIMIT_EXCEEDED"
    cause = await patient.found("MONTHLY_LIMIT_REACHED")
    assert (cause["verdict"], cause["first"]) == ("blocked", "MONTHLY_LIMIT_REACHED")


async def test_blocked_by_the_carrier(patient: Patient) -> None:
    network.block(patient.world, patient.sim, blocked=True)
    patient.send()
    cause = await patient.found("SIM_BLOCKED")
    assert (cause["verdict"], cause["first"]) == ("blocked", "SIM_BLOCKED")
    assert cause["evidence"]["since"] is not None


async def test_the_imei_lock(patient: Patient) -> None:
    patient.sim.imei = patient.sim.imei or "3520990012345617"
    patient.sim.imei_lock = True
    assert patient.send(imei="0000000000000000") == "IMEI_LOCK_BREACHED"
    cause = await patient.found("IMEI_LOCK_BREACHED")
    assert (cause["verdict"], cause["evidence"]["cause"]) == ("blocked", "IMEI_LOCK_BREACHED")
    patient.sim.imei_lock = False
    assert (await patient.found("NOT_RETRIED_SINCE_REFUSAL"))["verdict"] == "silent"


@pytest.mark.parametrize(
    ("cause", "code", "verdict"),
    [
        ("IMSI_NOT_FOUND", "IMSI_NOT_FOUND", "blocked"),
        ("APN_NOT_AUTHORIZED", "WRONG_APN", "blocked"),
        ("PDN_NOT_SUPPORTED", "PDN_TYPE_NOT_SUPPORTED", "blocked"),
        ("IMEI_LOCK_BREACHED", "NOT_RETRIED_SINCE_REFUSAL", "silent"),
        ("IMEI_LOCK_ENFORCED", "NOT_RETRIED_SINCE_REFUSAL", "silent"),
        ("NO_QUOTA_FOUND", "NOT_RETRIED_SINCE_REFUSAL", "silent"),
        ("QUOTA_EXPIRED", "NOT_RETRIED_SINCE_REFUSAL", "silent"),
        ("QUOTA_EXHAUSTED", "NOT_RETRIED_SINCE_REFUSAL", "silent"),
        ("MONTHLY_USAGE_LIMIT_EXCEEDED", "NOT_RETRIED_SINCE_REFUSAL", "silent"),
        ("DATA_SERVICE_BARRED", "DATA_BARRED", "blocked"),
        ("INACTIVITY_TIMER_EXPIRED", "SESSION_TIMED_OUT", "silent"),
        ("SOMETHING_NEW", "DATA_REFUSED", "blocked"),
    ],
)
async def test_each_word_of_the_network_for_a_refusal(
    patient: Patient, cause: str, code: str, verdict: str
) -> None:
    patient.sim.imei_lock = False
    network.fail(patient.world, patient.sim, cause)
    found = await patient.found(code)
    assert (found["verdict"], found["evidence"]["cause"]) == (verdict, cause)
    assert found["first"] == code


async def test_a_refusal_is_over_once_a_session_opens(patient: Patient) -> None:
    network.fail(patient.world, patient.sim, "APN_NOT_AUTHORIZED")
    assert (await patient.diagnosis())["verdict"] == "blocked"
    network.open_session(patient.world, patient.sim)
    assert (await patient.diagnosis())["verdict"] == "fine"


async def test_a_refusal_of_quota_that_was_topped_up_since(patient: Patient) -> None:
    patient.send(patient.sim.data.remaining / MB + 1)
    patient.send()
    patient.sim.data.grant(500 * MB, patient.world.clock.now())
    cause = await patient.found("NOT_RETRIED_SINCE_REFUSAL")
    assert (cause["verdict"], cause["first"]) == ("silent", "NOT_RETRIED_SINCE_REFUSAL")
    assert "used up" in cause["explanation"]


async def test_offline(patient: Patient) -> None:
    network.detach(patient.world, patient.sim)
    await patient.heard("offline", timedelta(minutes=5))
    cause = await patient.found("OFFLINE")
    assert (cause["verdict"], cause["first"]) == ("silent", "OFFLINE")
    assert "at Vodafone" in cause["explanation"]
    assert cause["evidence"]["since"] is not None


async def test_never_seen_by_any_network(patient: Patient) -> None:
    network.detach(patient.world, patient.sim)
    patient.sim.imei = None
    del events_of(patient.world, patient.sim)[1:]
    cause = await patient.found("NEVER_ATTACHED")
    assert cause["verdict"] == "silent"
    assert "OFFLINE" not in [one["code"] for one in cause["body"]["causes"]]


async def test_attached_and_long_gone(patient: Patient) -> None:
    with patient.world.clock.at(patient.world.clock.now() - 20 * 3600):
        network.attach(patient.world, patient.sim)
        network.vanish(patient.world, patient.sim)
    cause = await patient.found("ATTACHED_STALE")
    assert (cause["verdict"], cause["first"]) == ("silent", "ATTACHED_STALE")
    assert "NO_DATA_SESSION" not in [one["code"] for one in cause["body"]["causes"]]


async def test_attached_without_a_session(patient: Patient) -> None:
    network.close_session(patient.world, patient.sim)
    assert (await patient.found("NO_DATA_SESSION"))["verdict"] == "silent"


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
