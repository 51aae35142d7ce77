"""Usage as 1NCE writes it: strings in MB with float noise, newest day first, a row TOTAL at the end."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from once_sandbox.behaviours.schemas import Behaviours
from once_sandbox.usage.models import UsageDay
from once_sandbox.wire import MEGABYTE, Json

_CURRENCY = {"id": 1, "symbol": "€", "code": "EUR"}


def noisy_megabytes(volume: int) -> float:
    """Bytes as MB, summed from three parts, as 1NCE's own sums are: the noise is far below half a byte."""
    whole = volume / MEGABYTE
    return whole * 0.1 + whole * 0.2 + whole * 0.7


def plain(number: float) -> str:
    """A number as a string without exponent; zero is `0`."""
    return format(Decimal(repr(number)), "f") if number else "0"


def usage_report(days: Iterable[tuple[date, UsageDay]], behaviours: Behaviours) -> Json:
    """The whole answer of the usage call."""
    stats, total = [], UsageDay()
    for day, volumes in days:
        stats.append(_row(_day_text(day, behaviours), volumes, behaviours))
        total.add(volumes)
    return {"stats": [*stats, _row("TOTAL", total, behaviours)]}


def _day_text(day: date, behaviours: Behaviours) -> str:
    return day.isoformat() if behaviours.dates == "recorded" else f"{day.isoformat()}T00:00:00.000Z"


def _row(when: str, volumes: UsageDay, behaviours: Behaviours) -> Json:
    sent, received = noisy_megabytes(volumes.sent), noisy_megabytes(volumes.received)
    data = _volumes(plain(sent + received), plain(sent), plain(received), behaviours)
    messages = volumes.sms_sent + volumes.sms_received
    sms = _volumes(str(messages), str(volumes.sms_sent), str(volumes.sms_received), behaviours)
    data["traffic_type"] = {"id": 5, "description": "Data", "unit": "MB"}
    sms["traffic_type"] = {"id": 6, "description": "SMS", "unit": "SMS"}
    return {"date": when, "data": data, "sms": sms}


def _volumes(total: str, sent: str, received: str, behaviours: Behaviours) -> Json:
    rx, tx = (sent, received) if behaviours.rx_is_sent else (received, sent)
    return {"volume": total, "volume_rx": rx, "volume_tx": tx, "cost": total, "currency": _CURRENCY}
