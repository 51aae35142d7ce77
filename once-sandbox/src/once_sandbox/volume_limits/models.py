"""Which limits there are and which are set."""

from dataclasses import dataclass
from typing import Literal

Service = Literal["data", "smsMO", "smsMT"]

DATA_OPTIONS = {1: 1, 2: 5, 3: 10, 4: 16, 5: 25, 6: 50, 7: 100, 8: 250, 9: 500}
"""Id → MB a month."""
SMS_OPTIONS = {1: 5, 2: 10, 3: 25, 4: 50, 5: 100, 6: 250}
"""Id → messages a month."""


@dataclass(slots=True)
class VolumeLimits:
    """The ids that are set; None: no limit."""

    data: int | None = None
    sms_mo: int | None = None
    sms_mt: int | None = None


def options(service: Service) -> tuple[dict[int, int], str]:
    """The limits one can choose for a service, and their unit."""
    return (DATA_OPTIONS, "MB") if service == "data" else (SMS_OPTIONS, "SMS")
