"""HTTP: logging in and out, tokens and public keys."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from fleet_kit.database import DbSession
from fleet_kit.errors import Unauthorized, error_response
from fleet_kit.principal import CurrentUser
from signing_service.organizations.service import OrganizationService
from signing_service.sessions.attempts import LoginAttempts
from signing_service.sessions.schemas import Login, Me, Refresh, TokenAnswer, TokenPair, TokenQuestion
from signing_service.sessions.service import SessionService
from signing_service.users.service import UserService

router = APIRouter(tags=["auth"])


def _service(request: Request, session: DbSession) -> SessionService:
    return SessionService(session, request.app.state.redis, request.app.state.issuer)


@router.post("/auth/login")
@router.post("/users/auth", operation_id="authenticate_user")
async def login(wanted: Login, request: Request, response: Response, session: DbSession) -> TokenPair:
    """Start a session. Failures are limited per account and address."""
    attempts: LoginAttempts = request.app.state.attempts
    address = request.headers.get("x-real-ip") or (request.client.host if request.client else "")
    response.headers.update(await attempts.check(wanted.email, address))
    try:
        secret = wanted.password.get_secret_value()
        return await _service(request, session).login(request.app.state.passwords, wanted.email, secret)
    except Unauthorized:
        await attempts.failed(wanted.email, address)
        raise


@router.post("/auth/refresh", response_model=TokenPair)
async def refresh(wanted: Refresh, request: Request, session: DbSession) -> TokenPair | JSONResponse:
    """The next pair of tokens; the refresh token given is used up."""
    outcome = await _service(request, session).refresh(wanted.refresh_token)
    return error_response(outcome) if isinstance(outcome, Unauthorized) else outcome


@router.post("/auth/logout", status_code=204)
@router.post("/users/logout", status_code=204, operation_id="logout_user")
async def logout(user: CurrentUser, request: Request, session: DbSession) -> None:
    """End the session of the token."""
    await _service(request, session).logout(user)


@router.get("/auth/me")
async def me(user: CurrentUser, session: DbSession) -> Me:
    """Who the token belongs to."""
    found = await UserService(session, user.scope).me(user)
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
