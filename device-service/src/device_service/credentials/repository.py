from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.credentials.models import Credential
from fleet_kit.scope import Scope


class CredentialRepository:
    """Queries of device keys inside one scope."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def find_all(self, device_ids: Collection[UUID]) -> dict[UUID, Credential]:
        """The keys of those of the devices that have one."""
        statement = select(Credential).where(
            Credential.device_id.in_(device_ids), self._scope.where(Credential.organization_id)
        )
        return {found.device_id: found for found in await self._session.scalars(statement)}

    async def owners(self, device_ids: Collection[UUID]) -> dict[UUID, UUID]:
        """The organisation of each of the devices that have a key."""
        statement = select(Credential.device_id, Credential.organization_id).where(
            Credential.device_id.in_(device_ids), self._scope.where(Credential.organization_id)
        )
        rows = await self._session.execute(statement)
        return {row.device_id: row.organization_id for row in rows}

    async def put(self, device_id: UUID, organization_id: UUID, key_hash: bytes) -> None:
        """Set the device's one key."""
        new = {"key_hash": key_hash, "created_at": datetime.now(UTC)}
        statement = insert(Credential).values(device_id=device_id, organization_id=organization_id, **new)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=[Credential.device_id], set_=new)
        )

    async def delete(self, device_id: UUID) -> None:
        """Leave the device without a key."""
        await self._session.execute(
            delete(Credential).where(
                Credential.device_id == device_id, self._scope.where(Credential.organization_id)
            )
        )
