"""Rules on users."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Conflict
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal, Role
from fleet_kit.scope import EVERYTHING, Scope
from signing_service.organizations.service import OrganizationService
from signing_service.passwords import Passwords
from signing_service.users import events
from signing_service.users.models import User
from signing_service.users.repository import EmailExists, UserRepository
from signing_service.users.schemas import Registration, normal_email

_ADMIN_LOCK = 0x0F1EE7_02


class UserService:
    """What one may do with users."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope, self._users = session, scope, UserRepository(session, scope)

    async def page(
        self, paging: PageParams, *, role: Role | None, search: str | None, sort: str
    ) -> tuple[list[User], int]:
        """One page of users and the number of all that match."""
        items, total = await self._users.page(
            role=role, search=search, sort=sort, offset=paging.offset, limit=paging.page_size
        )
        return list(items), total

    async def me(self, principal: Principal) -> User | None:
        """The user behind a token, None when it is gone."""
        return await self._users.find(principal.user_id)


async def register(session: AsyncSession, passwords: Passwords, wanted: Registration) -> User:
    """A new organisation with its admin; raises Conflict when the address is taken."""
    secret = wanted.password.get_secret_value()
    if await UserRepository(session, EVERYTHING).by_email(wanted.email) is not None:
        raise _taken()
    name = wanted.organization_name or wanted.email.partition("@")[0]
    return await _create(session, await passwords.hash(secret), wanted.email, name, is_admin=False)


async def ensure_platform_admin(
    session: AsyncSession, passwords: Passwords, email: str, password: str
) -> None:
    """Make the platform administrator unless one exists; safe when several replicas start at once."""
    await session.execute(select(func.pg_advisory_xact_lock(_ADMIN_LOCK)))
    found = await session.scalar(select(func.count()).select_from(User).where(User.is_admin))
    if not found:
        hashed = await passwords.hash(password)
        await _create(session, hashed, normal_email(email), "Platform", is_admin=True)


async def _create(
    session: AsyncSession, hashed: str, email: str, organization: str, *, is_admin: bool
) -> User:
    owner = await OrganizationService(session, EVERYTHING).create(organization)
    user = User(
        organization_id=owner.id, email=email, password_hash=hashed, role=Role.ADMIN, is_admin=is_admin
    )
    try:
        await UserRepository(session, EVERYTHING).add(user)
    except EmailExists:
        raise _taken() from None
    await session.refresh(user)
    await Outbox(session).add(events.created(user))
    return user


def _taken() -> Conflict:
    return Conflict("this e-mail address is registered already", code="EMAIL_TAKEN")
