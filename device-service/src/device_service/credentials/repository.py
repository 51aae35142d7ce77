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

    async def find(self, device_id: UUID) -> Credential | None:
        """The device's key, None where it has none."""
        statement = select(Credential).where(
            Credential.device_id == device_id, self._scope.where(Credential.organization_id)
        )
        return (await self._session.scalars(statement)).one_or_none()

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
