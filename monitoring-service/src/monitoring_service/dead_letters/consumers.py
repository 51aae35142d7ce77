"""Dead letters of telemetry in: what ran out of attempts joins the rejected list, reading by reading."""

from collections.abc import Sequence

import structlog

from fleet_contracts.telemetry import Parsed, Rejected, encode_readings, parse_message
from fleet_contracts.topology import REASON_HEADER
from fleet_kit.consumer import DELIVERED_TOO_OFTEN, DependencyUnavailable, Failure
from fleet_kit.failure_router import Delivery
from monitoring_service.directory.owner_cache import DeviceOwnerCache
from monitoring_service.readings.consumers import UNKNOWN_DEVICE, TelemetryHandler, device_id, excerpt
from monitoring_service.rejected.models import RejectedMessage
from monitoring_service.rejected.service import RejectedMessageService

log = structlog.get_logger(__name__)
REASONS = {
    UNKNOWN_DEVICE: "no such device",
    DELIVERED_TOO_OFTEN: "it was delivered too often without being handled",
    "EXPIRED": "it expired, as its sender wished, before it was stored",
}


class DeadTelemetryHandler:
    """Handles batches of the dead-letter queue of telemetry.

    What gave up waiting for its device, and the device has become known since, is stored after all.
    """

    def __init__(
        self, owners: DeviceOwnerCache, telemetry: TelemetryHandler, rejected: RejectedMessageService
    ) -> None:
        self._owners, self._telemetry, self._rejected = owners, telemetry, rejected

    async def __call__(self, deliveries: list[Delivery]) -> Sequence[Failure]:
        """List or store each; raises DependencyUnavailable while it cannot: no queue comes after this one."""
        try:
            await self._handle(deliveries)
        except DependencyUnavailable:
            raise
        except Exception as error:
            log.error("dead letters cannot be handled", size=len(deliveries), exc_info=error)
            raise DependencyUnavailable(f"dead letters cannot be handled: {type(error).__name__}") from error
        return ()

    async def _handle(self, deliveries: list[Delivery]) -> None:
        devices = [device_id(delivery) for delivery in deliveries]
        owners = await self._owners.owners({device for device in devices if device})
        late: list[Delivery] = []
        listed: list[RejectedMessage] = []
        for delivery, device in zip(deliveries, devices, strict=True):
            owner = owners.get(device) if device else None
            if owner is not None and _given(delivery) == UNKNOWN_DEVICE:
                late.append(delivery)
            else:
                listed += _entries(delivery, device, owner)
        if late:
            # Its device may have gone again between the two looks.
            for failure in await self._telemetry(late):
                device = device_id(failure.delivery)
                listed += _entries(failure.delivery, device, owners.get(device or ""))
        await self._rejected.add(listed)


def _given(delivery: Delivery) -> str:
    if delivery.undecodable is not None:
        return delivery.undecodable.reason
    return str(delivery.headers.get(REASON_HEADER, DELIVERED_TOO_OFTEN))


def _entries(delivery: Delivery, device: str | None, owner: str | None) -> list[RejectedMessage]:
    parsed = parse_message(delivery.body, device or "", delivery.received_at)
    return RejectedMessage.all_of(delivery, _parts(delivery, parsed), device_id=device, organization_id=owner)


def _parts(delivery: Delivery, parsed: Parsed) -> list[Rejected]:
    """One for each reading, so that each can be found by its id; one for a message that holds none."""
    given = _given(delivery)
    code, reason = given if given in REASONS else "HANDLER_FAILED", REASONS.get(given, given)
    if delivery.raw_properties is not None:
        code = "UNDECODABLE_PROPERTIES"
    if not parsed.readings and not any(bad.index is not None for bad in parsed.rejected):
        return [Rejected(None, code, "", reason, excerpt(delivery))]
    bad = [item for item in parsed.rejected if item.index is not None]
    taken = {item.index for item in bad}
    places = (place for place in range(len(taken) + len(parsed.readings)) if place not in taken)
    good = [
        Rejected(place, code, "", reason, encode_readings([reading]).decode()[1:-1])
        for place, reading in zip(places, parsed.readings, strict=True)
    ]
    return sorted([*good, *bad], key=_place)


def _place(item: Rejected) -> int:
    return -1 if item.index is None else item.index
