"""Alerts and their life cycle."""

from typing import Literal
from uuid import UUID

from fleet_contracts.events.envelope import Data, OwnedEvent


class AlertData(Data):
    """An alert and the rule that raised it."""

    id: UUID
    rule_id: UUID | None = None
    severity: Literal["info", "warning", "critical"]
    message: str
    device_id: UUID | None = None
    iccid: str | None = None


class AlertRaised(OwnedEvent):
    """A rule fired."""

    type: Literal["alert.raised"] = "alert.raised"
    data: AlertData


class AlertAcknowledged(OwnedEvent):
    """A person took an alert."""

    type: Literal["alert.acknowledged"] = "alert.acknowledged"
    data: AlertData


class AlertCleared(OwnedEvent):
    """The cause of an alert is gone."""

    type: Literal["alert.cleared"] = "alert.cleared"
    data: AlertData
