"""Where the SIM stands in the network."""

from sim_service.carrier.models import NetworkState, SimStatus
from sim_service.lifecycle.diagnosis.evidence import Cause, Effect, Evidence, when

_SEEN = ("location_updated", "data_location_updated", "session_opened", "session_updated")
_GONE = ("location_purged", "data_location_purged")


def blocked(evidence: Evidence) -> Cause | None:
    """The carrier blocks the endpoint; v1, which has no such state, tells only the event."""
    event = evidence.last("blocked", *_SEEN)
    by_event = event is not None and event.type == "blocked" and evidence.state is NetworkState.OFFLINE
    if evidence.state is not NetworkState.BLOCKED and not by_event:
        return None
    since = event.at if event is not None and event.type == "blocked" else None
    return Cause(
        "SIM_BLOCKED",
        Effect.BLOCK,
        "The carrier blocks the SIM" + (f" since {when(since)}." if since else "."),
        "Ask the carrier's support why, and to lift the block.",
        {"state": evidence.state, "since": since},
    )


def never_attached(evidence: Evidence) -> Cause | None:
    """No network has ever seen the SIM in a device."""
    if evidence.state is not NetworkState.OFFLINE or evidence.sim.imei is not None:
        return None
    if evidence.last(*_SEEN, *_GONE) is not None:
        return None
    return Cause(
        "NEVER_ATTACHED",
        Effect.SILENCE,
        "No network has ever seen this SIM in a device.",
        "Check that the card sits right in the device, that the device has power and that its radio is on.",
        {"activated_at": evidence.sim.activated_at},
    )


def offline(evidence: Evidence) -> Cause | None:
    if evidence.state is not NetworkState.OFFLINE or never_attached(evidence) is not None:
        return None
    gone, seen = evidence.last(*_GONE), evidence.last(*_SEEN)
    since = gone.at if gone is not None and (seen is None or gone.at >= seen.at) else None
    where = f", last at {seen.operator}" if seen is not None and seen.operator else ""
    return Cause(
        "OFFLINE",
        Effect.SILENCE,
        f"The network does not see the device{f' since {when(since)}' if since else ''}{where}.",
        "Check the device's power, antenna and coverage.",
        {"since": since, "last_seen_at": seen.at if seen else None, "status": evidence.sim.status},
    )


def attached_stale(evidence: Evidence) -> Cause | None:
    """The network says attached and has had no sign of the device for long."""
    network = evidence.network
    if network is None or not network.value.attached_is_stale(evidence.trusted):
        return None
    at = network.value.last_updated_at
    return Cause(
        "ATTACHED_STALE",
        Effect.SILENCE,
        f"The network still calls the device attached, but has had no sign of it since {when(at)}: "
        "it has probably lost its power or its coverage.",
        "Check the device's power; a connectivity reset shows whether it is still there.",
        {"last_updated_at": at, "operator": network.value.operator, "country": network.value.country},
    )


def no_session(evidence: Evidence) -> Cause | None:
    """In the network, without a data session and without a refusal that would say why."""
    network = evidence.network
    if network is None or evidence.state is not NetworkState.ATTACHED or network.value.session is not None:
        return None
    if attached_stale(evidence) is not None or evidence.sim.status != SimStatus.ENABLED:
        return None
    return Cause(
        "NO_DATA_SESSION",
        Effect.SILENCE,
        f"The device is in the network of {network.value.operator or 'an unknown operator'} and has no data "
        "session open.",
        "Normal for a device that sends rarely; else check its APN and that it asks for a data session.",
        {"operator": network.value.operator, "last_updated_at": network.value.last_updated_at},
    )
