"""HTTP: logging in and out, tokens and public keys."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from fleet_kit.client_address import client_address
from fleet_kit.database import DbSession
from fleet_kit.errors import Unauthorized, error_response
from fleet_kit.openapi import raises
from fleet_kit.principal import CurrentUser, Principal, current_principal
from signing_service.auth.authentication import PasswordAuthenticator
from signing_service.auth.schemas import (
    Login,
    Logout,
    Me,
    Refresh,
    TokenAnswer,
    TokenPair,
    TokenQuestion,
)
from signing_service.auth.service import SessionService
from signing_service.organizations.service import OrganizationService
from signing_service.users.service import UserService

router = APIRouter(tags=["auth"])


def _service(request: Request, session: DbSession) -> SessionService:
    state = request.app.state
    return SessionService(session, state.redis, state.issuer, state.session_bounds)


@router.post("/auth/login")
@router.post("/users/auth", operation_id="authenticate_user")
@raises(Unauthorized)
async def login(wanted: Login, request: Request, response: Response, session: DbSession) -> TokenPair:
    """Start a session. Failures are limited per account and address."""
    authenticator: PasswordAuthenticator = request.app.state.authenticator
    authenticated = await authenticator.authenticate(
        wanted.email, wanted.password.get_secret_value(), client_address(request.scope)
    )
    response.headers.update(authenticated.limit)
    return await _service(request, session).start(authenticated)


@router.post("/auth/refresh", response_model=TokenPair)
@raises(Unauthorized)
async def refresh(wanted: Refresh, request: Request, session: DbSession) -> TokenPair | JSONResponse:
    """The next pair of tokens; the refresh token given is used up."""
    outcome = await _service(request, session).refresh(wanted.refresh_token)
    return error_response(outcome) if isinstance(outcome, Unauthorized) else outcome


@router.post("/auth/logout", status_code=204)
@router.post("/users/logout", status_code=204, operation_id="logout_user")
@raises(Unauthorized)
async def logout(request: Request, session: DbSession, wanted: Logout | None = None) -> None:
    """End the session of the access token, of the refresh token, or of both; it may have ended already."""
    refresh_token = wanted.refresh_token if wanted else None
    bearer = await _principal_to_log_out(request, required=refresh_token is None)
    service = _service(request, session)
    if bearer is not None:
        await service.logout(bearer)
    if refresh_token is not None:
        await service.logout_by_refresh_token(refresh_token)


async def _principal_to_log_out(request: Request, *, required: bool) -> Principal | None:
    """Who logs out; None for a token that was revoked before, or, unless one is required, for none at all."""
    try:
        return await current_principal(request)
    except Unauthorized as error:
        if required and error.code != "TOKEN_REVOKED":
            raise
        return None


@router.get("/auth/me")
async def me(user: CurrentUser, session: DbSession) -> Me:
    """Who the token belongs to."""
    found = await UserService(session, user.scope).find(user.user_id)
    if found is None:
        raise Unauthorized("the user of this token no longer exists", code="TOKEN_INVALID")
    organization = await OrganizationService(session, user.scope).get(found.organization_id)
    return Me.model_validate(
        {name: getattr(found, name) for name in Me.model_fields if name != "organization_name"}
        | {"organization_name": organization.name}
    )


@router.post("/users/verify-token", response_model_exclude_none=True)
async def verify_token(question: TokenQuestion, request: Request) -> TokenAnswer:
    """Whether a token may be used now, and what it says."""
    try:
        principal = await request.app.state.verifier.verify(question.token)
    except Unauthorized:
        return TokenAnswer(valid=False)
    return TokenAnswer(
        valid=True,
        sub=principal.user_id,
        organization_id=principal.organization_id,
        role=principal.role,
        is_admin=principal.is_admin,
        exp=int(principal.expires_at.timestamp()),
    )


@router.get("/auth/jwks.json")
async def jwks(request: Request) -> dict[str, Any]:
    """Public keys that verify access tokens (RFC 7517)."""
    keys: dict[str, Any] = request.app.state.keys.jwks()
    return keys
