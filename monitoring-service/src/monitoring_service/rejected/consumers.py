"""Dead letters of telemetry in: what ran out of attempts joins the rejected list."""

from collections.abc import Sequence

from fleet_contracts.telemetry import MAX_EXCERPT, Rejected
from fleet_contracts.topology import REASON_HEADER
from fleet_kit.consumer import Failure
from fleet_kit.delivery import Delivery
from monitoring_service.facts.directory import DeviceDirectory
from monitoring_service.readings.consumers import UNKNOWN_DEVICE, device_id
from monitoring_service.rejected.models import RejectedMessage
from monitoring_service.rejected.service import RejectedList

REASONS = {UNKNOWN_DEVICE: "no such device", "DELIVERY_LIMIT": "the broker's delivery limit was reached"}


class DeadTelemetryHandler:
    """Handles batches of the dead-letter queue of telemetry."""

    def __init__(self, directory: DeviceDirectory, rejected: RejectedList) -> None:
        self._directory, self._rejected = directory, rejected

    async def __call__(self, deliveries: list[Delivery]) -> Sequence[Failure]:
        """List each with its reason; raises Pause while the store is away."""
        devices = [device_id(delivery) for delivery in deliveries]
        owners = await self._directory.owners({device for device in devices if device})
        await self._rejected.add(
            [
                RejectedMessage.of(
                    delivery,
                    _reason(delivery),
                    device_id=device,
                    organization_id=owners.get(device) if device else None,
                )
                for delivery, device in zip(deliveries, devices, strict=True)
            ]
        )
        return ()


def _reason(delivery: Delivery) -> Rejected:
    given = str(delivery.headers.get(REASON_HEADER, "DELIVERY_LIMIT"))
    code = given if given in REASONS else "HANDLER_FAILED"
    text = delivery.body[:MAX_EXCERPT].decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    return Rejected(None, code, "", REASONS.get(given, given), text)
