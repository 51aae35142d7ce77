"""Queries on users."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope
from signing_service.users.models import User

ORDER = {"email": User.email, "created_at": User.created_at}


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

    async def find(self, user_id: UUID) -> User | None:
        """The one with this id."""
        query = select(User).where(self._inside, User.id == user_id)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def by_email(self, email: str) -> User | None:
        """The one with this address, given in its normal form."""
        query = select(User).where(self._inside, User.email == email)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def page(
        self, *, role: str | None, search: str | None, sort: str, offset: int, limit: int
    ) -> tuple[Sequence[User], int]:
        """One page and the number of all that match."""
        wanted: list[ColumnElement[bool]] = [self._inside]
        if role is not None:
            wanted.append(User.role == role)
        if search:
            wanted.append(User.email.icontains(search, autoescape=True))
        column = ORDER[sort.removeprefix("-")]
        order = column.desc() if sort.startswith("-") else column.asc()
        query = select(User).where(*wanted).order_by(order, User.id).offset(offset).limit(limit)
        total = await self._session.scalar(select(func.count()).select_from(User).where(*wanted))
        return (await self._session.scalars(query)).all(), total or 0
