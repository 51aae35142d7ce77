"""The card itself: whether the carrier has it, and lets it in."""

from sim_service.carrier.errors import CARRIER_UNAVAILABLE_ERRORS, CarrierForbidden, CarrierSimNotFound
from sim_service.carrier.models import SimStatus
from sim_service.lifecycle.diagnosis.evidence import Cause, Effect, Evidence, when


def unknown_at_carrier(evidence: Evidence) -> Cause | None:
    """Asked just now, the carrier said that it does not know the SIM."""
    if not isinstance(evidence.refusal, CarrierSimNotFound):
        return None
    return Cause(
        "SIM_UNKNOWN_AT_CARRIER",
        Effect.BLOCK,
        "The carrier does not know this SIM in our account.",
        "Compare the ICCID with the printed one, and ask the carrier what became of the SIM.",
        {"missing_since": evidence.sim.missing_since},
    )


def in_another_account(evidence: Evidence) -> Cause | None:
    """The carrier knows the SIM and does not let us speak of it."""
    refusal = evidence.refusal
    if not isinstance(refusal, CarrierForbidden):
        return None
    return Cause(
        "SIM_IN_ANOTHER_ACCOUNT",
        Effect.BLOCK,
        "The SIM belongs to another account of the carrier.",
        "Have it transferred back, or release it here.",
        {"carrier_message": refusal.details.get("message")},
    )


def missing(evidence: Evidence) -> Cause | None:
    """A sync no longer found the SIM, and nobody could be asked since."""
    since = evidence.sim.missing_since
    if since is None or evidence.refusal is not None:
        return None
    return Cause(
        "SIM_MISSING_AT_CARRIER",
        Effect.BLOCK,
        f"The carrier has not listed this SIM since {when(since)}.",
        "Ask the carrier what became of the SIM.",
        {"missing_since": since},
    )


def disabled(evidence: Evidence) -> Cause | None:
    if evidence.sim.status != SimStatus.DISABLED:
        return None
    event = evidence.last("sim_disabled", "sim_enabled")
    since = event.at if event is not None and event.type == "sim_disabled" else None
    return Cause(
        "SIM_DISABLED",
        Effect.BLOCK,
        "The SIM is disabled" + (f" since {when(since)}" if since else "") + ": no network lets it in.",
        "Enable the SIM.",
        {"status": evidence.sim.status, "since": since},
    )


def change_under_way(evidence: Evidence) -> Cause | None:
    """What is wanted of the SIM and what it is differ."""
    wanted = evidence.sim.desired_status
    if wanted is None or wanted == evidence.sim.status:
        return None
    return Cause(
        "STATUS_CHANGE_UNDER_WAY",
        Effect.ATTENTION,
        f"The SIM is to be {wanted}, and the carrier still has it {evidence.sim.status}.",
        "Wait for the change, or see the SIM's actions for why it does not come about.",
        {"desired_status": wanted, "status": evidence.sim.status, "lifecycle": evidence.sim.lifecycle},
    )


def carrier_unavailable(evidence: Evidence) -> Cause | None:
    """The carrier could not be asked about everything: the answer may be old."""
    unavailable = [
        checked for checked in evidence.checked if isinstance(checked.failure, CARRIER_UNAVAILABLE_ERRORS)
    ]
    if not unavailable:
        return None
    failure = unavailable[0].failure
    return Cause(
        "CARRIER_AWAY",
        Effect.NOTE,
        "The carrier cannot be asked at the moment; this answer goes by what was known before.",
        "Ask again later.",
        {
            "code": failure.code if failure else None,
            "oldest": min((one.as_of for one in unavailable if one.as_of), default=None),
            "unknown": [one.what for one in unavailable if one.as_of is None],
        },
    )
