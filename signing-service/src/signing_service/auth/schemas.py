"""Bodies of logging in and out."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, SecretStr

from fleet_kit.principal import Role
from fleet_kit.schemas import ResponseModel, StrictModel, Text, Timestamp
from signing_service.users.schemas import CredentialsModel, Email


class Login(CredentialsModel):
    """Who, and the proof."""

    email: Email
    password: Annotated[SecretStr, Field(min_length=1, max_length=128)]


RefreshTokenText = Annotated[Text, Field(min_length=1, max_length=200)]


class Refresh(StrictModel):
    """A refresh token, to be used once."""

    refresh_token: RefreshTokenText


class Logout(StrictModel):
    """May name the session by its refresh token too: that works after the access token has expired."""

    refresh_token: RefreshTokenText | None = None


class TokenPair(ResponseModel):
    """An access token (`expires_in` seconds) and the refresh token that gets the next pair."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int


class TokenQuestion(StrictModel):
    """A token that somebody was given."""

    token: Annotated[Text, Field(min_length=1, max_length=8192)]


class TokenAnswer(ResponseModel):
    """Whether it may be used now, and if so what it says."""

    valid: bool
    sub: UUID | None = None
    organization_id: UUID | None = None
    role: Role | None = None
    is_admin: bool | None = None
    exp: int | None = None


class Me(ResponseModel):
    """The user behind a token."""

    id: UUID
    email: str
    organization_id: UUID
    organization_name: str
    role: Role
    is_admin: bool
    created_at: Timestamp
    last_login_at: Timestamp | None
