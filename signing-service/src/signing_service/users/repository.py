from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from signing_service.users.models import User

COLUMNS = {"email": User.email, "created_at": User.created_at}
_ADMIN_LOCK = 0x0F1EE7_02


class EmailExists(Exception):
    """Another user has this e-mail address."""


class UserRepository:
    """Users inside a scope. E-mail addresses are unique over all organisations."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._inside = session, scope.where(User.organization_id)

    async def add(self, user: User) -> None:
        """Save a new one; raises EmailExists and leaves the transaction usable."""
        try:
            async with self._session.begin_nested():
                self._session.add(user)
        except IntegrityError as error:
            raise EmailExists(user.email) from error
        await self._session.refresh(user)

    async def find(self, user_id: UUID) -> User | None:
        query = select(User).where(self._inside, User.id == user_id)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def by_email(self, email: str) -> User | None:
        """The one with this address, given in its normal form."""
        query = select(User).where(self._inside, User.email == email)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def page(
        self, paging: PageParams, *, role: str | None, search: str | None, sort: str
    ) -> PageResult[User]:
        """One page of those with that role whose address holds `search`."""
        query = select(User).where(self._inside)
        if role is not None:
            query = query.where(User.role == role)
        if search:
            query = query.where(User.email.icontains(search, autoescape=True))
        order = SortOrder(sort, COLUMNS[sort.removeprefix("-")], User.id)
        return await find_page(self._session, query, order, paging)

    async def lock_platform_admin(self) -> None:
        """Let nobody else make one before the commit."""
        await self._session.execute(select(func.pg_advisory_xact_lock(_ADMIN_LOCK)))

    async def has_platform_admin(self) -> bool:
        """Whether there is one."""
        return bool(await self._session.scalar(select(exists().where(User.is_admin))))
