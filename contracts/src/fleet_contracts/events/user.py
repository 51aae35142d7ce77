"""Users."""

from typing import Literal
from uuid import UUID

from fleet_contracts.events.envelope import Data, FleetEvent


class UserData(Data):
    """A user without credentials."""

    id: UUID
    email: str
    role: Literal["viewer", "operator", "admin"]


class UserCreated(FleetEvent):
    """A user exists."""

    type: Literal["user.created"] = "user.created"
    data: UserData


class UserUpdated(FleetEvent):
    """A user's facts changed."""

    type: Literal["user.updated"] = "user.updated"
    data: UserData
