"""Diagnoses: every cause shown by the real sandbox or by device events, and the healthy SIM."""

from datetime import timedelta

import pytest

from once_sandbox.connectivity import sessions as network
from once_sandbox.events.service import events_of
from once_sandbox.sims.service import apply_planned
from once_sandbox.usage.booking import book_sms

from .diagnosis_support import MB, Patient


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
