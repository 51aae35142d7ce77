"""Bodies of the users' API."""

from typing import Annotated, Literal
from uuid import UUID

import email_validator
from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StringConstraints

from fleet_kit.principal import Role
from fleet_kit.schemas import LineText, ResponseModel, StrictModel, Timestamp

# The library refuses names such as `.local`; companies use them inside their networks.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

Sort = Literal["email", "-email", "created_at", "-created_at"]


def normal_email(value: str) -> str:
    """The address in the one form in which it is stored and compared; raises ValueError."""
    checked = email_validator.validate_email(
        value.strip(), check_deliverability=False, globally_deliverable=False
    )
    return checked.normalized.lower()


Email = Annotated[str, Field(max_length=254), AfterValidator(normal_email)]
Password = Annotated[SecretStr, Field(min_length=8, max_length=128)]
OrganizationName = Annotated[LineText, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class CredentialsModel(StrictModel):
    """A body with a password: spaces around that belong to it."""

    model_config = ConfigDict(str_strip_whitespace=False)


class Registration(CredentialsModel):
    """A new organisation and its first admin."""

    email: Email
    password: Password
    organization_name: OrganizationName | None = None


class UserOut(ResponseModel):
    """A user, without credentials."""

    id: UUID
    email: str
    organization_id: UUID
    role: Role
    is_admin: bool
    created_at: Timestamp
