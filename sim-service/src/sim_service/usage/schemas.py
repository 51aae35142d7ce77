"""HTTP shapes of usage."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import Field

from fleet_kit.errors import invalid
from fleet_kit.schemas import ResponseModel, StrictModel
from sim_service.carrier.facts import UsageDay
from sim_service.freshness import Freshness, Known, freshness
from sim_service.usage.service import Usage

LONGEST_DAYS = 366
_DEFAULT_DAYS = 30


class Volumes(ResponseModel):
    """Bytes and messages; MO was sent by the SIM, MT to it."""

    data_mo_bytes: int = 0
    data_mt_bytes: int = 0
    data_bytes: int = 0
    sms_mo: int = 0
    sms_mt: int = 0


class UsageDayOut(Volumes):
    """One UTC day."""

    day: date

    @classmethod
    def of(cls, usage: UsageDay) -> "UsageDayOut":
        """The day with its sum."""
        return cls(
            day=usage.day,
            data_mo_bytes=usage.data_mo_bytes,
            data_mt_bytes=usage.data_mt_bytes,
            data_bytes=usage.data_mo_bytes + usage.data_mt_bytes,
            sms_mo=usage.sms_mo,
            sms_mt=usage.sms_mt,
        )


class UsageOut(Freshness):
    """Usage of a range: every day that is known, oldest first, and the sum of them."""

    iccid: str
    first: Annotated[date, Field(serialization_alias="from")]
    last: Annotated[date, Field(serialization_alias="to")]
    total: Volumes
    items: list[UsageDayOut]

    @classmethod
    def of(cls, known: Known[Usage]) -> "UsageOut":
        """The usage with its age."""
        items = [UsageDayOut.of(day) for day in known.value.days]
        return cls(
            iccid=known.value.iccid,
            first=known.value.first,
            last=known.value.last,
            total=_sum(items),
            items=items,
            **freshness(known),
        )


def _sum(items: Iterable[UsageDayOut]) -> Volumes:
    total = Volumes()
    for item in items:
        for name in Volumes.model_fields:
            setattr(total, name, getattr(total, name) + getattr(item, name))
    return total


class Range:
    """The query parameters `from` and `to`: UTC days, both included; default the last 30 days."""

    def __init__(
        self,
        first: Annotated[date | None, Query(alias="from")] = None,
        last: Annotated[date | None, Query(alias="to")] = None,
    ) -> None:
        self.first, self.last = checked(first, last)


class UsageSyncIn(StrictModel):
    """The range to ask the carrier for; default the last 30 days."""

    first: Annotated[date | None, Field(alias="from")] = None
    last: Annotated[date | None, Field(alias="to")] = None


def checked(first: date | None, last: date | None) -> tuple[date, date]:
    """The range with its defaults; raises 422 naming the end that is wrong."""
    today = datetime.now(UTC).date()
    last = last or max(today, first or today)
    first = first or last - timedelta(days=_DEFAULT_DAYS - 1)
    if first > last:
        raise invalid("from", "is after `to`")
    if first > today:
        raise invalid("from", "is in the future")
    if (last - first).days >= LONGEST_DAYS:
        raise invalid("from", f"the range is longer than {LONGEST_DAYS} days")
    return first, min(last, today)
