from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Conflict
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Role
from fleet_kit.scope import EVERYTHING, Scope
from signing_service.organizations.service import OrganizationService
from signing_service.passwords import Asker, Passwords
from signing_service.users import events
from signing_service.users.models import User
from signing_service.users.repository import EmailExists, UserRepository
from signing_service.users.schemas import normal_email


class UserService:
    """What one may do with users."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._users = session, UserRepository(session, scope)

    async def page(
        self, paging: PageParams, *, role: Role | None, search: str | None, sort: str
    ) -> PageResult[User]:
        """One page of users."""
        return await self._users.page(paging, role=role, search=search, sort=sort)

    async def find(self, user_id: UUID) -> User | None:
        """The user, None when it is gone."""
        return await self._users.find(user_id)

    async def by_email(self, email: str) -> User | None:
        """The user with this address, given in its normal form."""
        return await self._users.by_email(email)


async def register(session: AsyncSession, password_hash: str, email: str, organization: str | None) -> User:
    """A new organisation with its admin, whose password has that hash; raises Conflict for a taken address.

    The hash is made before, so that no connection is held for as long as that takes.
    """
    if await UserRepository(session, EVERYTHING).by_email(email) is not None:
        raise _taken()
    return await _create(
        session, password_hash, email, organization or email.partition("@")[0], is_admin=False
    )


async def ensure_platform_admin(
    session: AsyncSession, passwords: Passwords, email: str, password: str
) -> None:
    """Make the platform administrator unless one exists; safe when several replicas start at once."""
    users = UserRepository(session, EVERYTHING)
    await users.lock_platform_admin()
    if not await users.has_platform_admin():
        password_hash = await passwords.hash(password, Asker(email, is_stranger=False))
        await _create(session, password_hash, normal_email(email), "Platform", is_admin=True)


async def _create(
    session: AsyncSession, password_hash: str, email: str, organization: str, *, is_admin: bool
) -> User:
    owner = await OrganizationService(session, EVERYTHING).create(organization)
    user = User(
        organization_id=owner.id, email=email, password_hash=password_hash, role=Role.ADMIN, is_admin=is_admin
    )
    try:
        await UserRepository(session, EVERYTHING).add(user)
    except EmailExists:
        raise _taken() from None
    await Outbox(session).add(events.created(user))
    return user


def _taken() -> Conflict:
    return Conflict("this e-mail address is registered already", code="EMAIL_TAKEN")
