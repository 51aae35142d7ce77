"""The API: what is switched on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from fastapi import FastAPI
from sqlalchemy import text

from fleet_kit.app import create_app
from fleet_kit.database import Sessions, create_engine, create_sessions
from fleet_kit.errors import Conflict
from fleet_kit.health import Check
from fleet_kit.redis_client import open_redis
from fleet_kit.token_verifier import TokenVerifier
from signing_service.auth import api as sessions
from signing_service.auth.authentication import PasswordAuthenticator
from signing_service.auth.login_limit import LoginLimit
from signing_service.auth.service import SessionBounds
from signing_service.auth.tokens import TokenIssuer
from signing_service.denylist import api as denylist
from signing_service.denylist.service import DatabaseDenylist
from signing_service.keys import KeyRing
from signing_service.organizations import api as organizations
from signing_service.passwords import Passwords
from signing_service.rate_limiter import RateLimiter
from signing_service.settings import SigningSettings
from signing_service.users import api as users
from signing_service.users.registration_limit import RegistrationLimit
from signing_service.users.service import ensure_platform_admin

log = structlog.get_logger(__name__)
NAME = "signing-service"


def create(settings: SigningSettings) -> FastAPI:
    """The application with everything that it needs; raises KeyUnusable without a proper key."""
    keys = KeyRing(settings.signing_key_file, settings.previous_key_files)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = create_engine(settings, name=NAME)
        redis_url = settings.redis_url.get_secret_value()
        state = app.state
        state.sessions, state.redis, state.keys = create_sessions(engine), open_redis(redis_url), keys
        state.passwords = Passwords(settings.argon2_parallel, settings.argon2_parallel_strangers)
        limiter = RateLimiter(state.redis)
        login_limit = LoginLimit(
            limiter, settings.login_failures_per_minute, settings.login_failures_per_address_and_hour
        )
        state.registration_limit = RegistrationLimit(limiter, settings.registrations_per_day)
        state.authenticator = PasswordAuthenticator(state.sessions, state.passwords, login_limit)
        state.registration = settings.registration
        state.issuer = _issuer(settings, keys)
        state.session_bounds = SessionBounds(settings.sessions_per_user, settings.refresh_tokens_per_session)
        state.verifier = TokenVerifier(
            keys, DatabaseDenylist(state.sessions), settings.token_issuer, settings.token_audience
        )
        await _first_start(settings, state.sessions, state.passwords)
        yield
        state.passwords.close()
        await state.redis.aclose()
        await engine.dispose()

    return create_app(
        service="signing",
        settings=settings,
        routers=[feature.router for feature in (sessions, users, organizations)],
        internal=[denylist.router],
        lifespan=lifespan,
        checks=_checks,
    )


def _issuer(settings: SigningSettings, keys: KeyRing) -> TokenIssuer:
    return TokenIssuer(
        keys,
        settings.token_issuer,
        settings.token_audience,
        timedelta(minutes=settings.access_token_minutes),
        timedelta(days=settings.refresh_token_days),
    )


async def _first_start(settings: SigningSettings, sessions: Sessions, passwords: Passwords) -> None:
    password = settings.platform_admin_password.get_secret_value()
    try:
        async with sessions() as session, session.begin():
            await ensure_platform_admin(session, passwords, settings.platform_admin_email, password)
    except Conflict:
        log.error("the platform administrator's e-mail address belongs to another user; none was made")


def _checks(app: FastAPI) -> Mapping[str, Check]:
    async def postgres() -> None:
        async with app.state.sessions() as session:
            await session.execute(text("SELECT 1"))

    # Redis is only the fast copy here: without it logins and checks go on.
    return {"postgres": postgres}
