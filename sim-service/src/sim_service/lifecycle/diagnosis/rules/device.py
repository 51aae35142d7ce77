"""The device that the SIM is in."""

from sim_service.carrier.models import NetworkState
from sim_service.lifecycle.diagnosis.evidence import Cause, Effect, Evidence, when


def not_linked(evidence: Evidence) -> Cause | None:
    """The SIM is in no device of ours, so nothing is known of telemetry."""
    if evidence.sim.device_id is not None:
        return None
    return Cause(
        "NOT_LINKED",
        Effect.NOTE,
        "The SIM is linked to no device, so nothing can be said about what its device reports.",
        "Link the SIM to its device.",
    )


def never_seen(evidence: Evidence) -> Cause | None:
    device = evidence.device
    if device is None or device.last_seen_at is not None:
        return None
    return Cause(
        "DEVICE_NEVER_HEARD",
        Effect.SILENCE,
        f"The device {device.name!r} has never reported anything.",
        "Check the device's address of the platform, its id and its key.",
        {"device_id": device.id},
    )


def silent(evidence: Evidence) -> Cause | None:
    """The device used to report and no longer does; with a data session, the network is not the reason."""
    device = evidence.device
    if device is None or device.last_seen_at is None or device.online:
        return None
    facts = {"device_id": device.id, "last_seen_at": device.last_seen_at}
    if evidence.state is NetworkState.ONLINE:
        return Cause(
            "DEVICE_SILENT_WHILE_CONNECTED",
            Effect.SILENCE,
            f"The SIM has a data session, but its device has reported nothing since "
            f"{when(device.last_seen_at)}: the network is not the reason.",
            "Check the device's program, its key and the address it sends to.",
            facts,
        )
    return Cause(
        "DEVICE_SILENT",
        Effect.SILENCE,
        f"The device has reported nothing since {when(device.last_seen_at)}.",
        "See the other causes; without any, check the device itself.",
        facts,
    )


def reports_over_other_link(evidence: Evidence) -> Cause | None:
    """The device reports although the SIM is not in any network."""
    device = evidence.device
    if device is None or not device.online:
        return None
    if evidence.state not in {NetworkState.OFFLINE, NetworkState.BLOCKED}:
        return None
    return Cause(
        "DEVICE_HEARD_OTHERWISE",
        Effect.NOTE,
        "The device reports, though not through this SIM: it has another connection, or another SIM in it.",
        "Check which SIM the device holds.",
        {"device_id": device.id, "state": evidence.state},
    )
