"""Events that users publish."""

from fleet_contracts.events import UserCreated, UserData
from signing_service.base import SOURCE
from signing_service.users.models import User


def created(user: User) -> UserCreated:
    """The user exists."""
    return UserCreated(
        source=SOURCE,
        subject=str(user.id),
        organizationid=user.organization_id,
        data=UserData.model_validate({"id": user.id, "email": user.email, "role": user.role}),
    )
