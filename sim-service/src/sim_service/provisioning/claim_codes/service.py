"""The rules of claim codes: issued by the platform administrator, shown once, used once, kept as a hash."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Conflict, NotFound
from fleet_kit.ids import uuid7
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal
from fleet_kit.scope import EVERYTHING
from sim_service.inventory.sims.service import SimService, not_found
from sim_service.provisioning.claim_codes.models import ClaimCode
from sim_service.provisioning.claim_codes.repository import ClaimCodeRepository
from sim_service.provisioning.claim_codes.schemas import ClaimCodeIn

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without what is mistaken for something else where a code is read from paper."""
_GROUPS, _GROUP = 6, 5
"""30 characters of 5 bits: nobody guesses one, so a plain hash keeps it."""


class ClaimCodeService:
    def __init__(self, session: AsyncSession) -> None:
        self._session, self._codes = session, ClaimCodeRepository(session, EVERYTHING)

    async def issue(self, wanted: ClaimCodeIn, by: Principal) -> tuple[ClaimCode, str]:
        """A new code for SIMs that nobody owns, and its text.

        Raises NotFound naming those that are unknown or owned, and Conflict naming those that another
        organisation ordered and paid for, unless these are meant.
        """
        iccids = sorted(set(wanted.iccids))
        known = await SimService(self._session, EVERYTHING).some(iccids)
        free = {sim.iccid for sim in known if sim.organization_id is None}
        if taken := [iccid for iccid in iccids if iccid not in free]:
            raise not_found(taken)
        ordered = await self._codes.ordered_by_others(iccids, by.organization_id)
        if ordered and not wanted.even_if_ordered:
            raise Conflict(
                "another organisation ordered these SIMs; with even_if_ordered they get a code all the same",
                code="SIMS_ORDERED",
                details={"iccids": sorted(ordered)},
            )
        text, now = _new_code(), datetime.now(UTC)
        code = ClaimCode(
            id=uuid7(),
            code_hash=_hash(text),
            iccids=iccids,
            note=wanted.note,
            created_by=by.user_id,
            created_at=now,
            expires_at=now + timedelta(hours=wanted.expires_in_hours),
        )
        self._codes.add(code)
        await self._session.flush()
        return code, text

    async def use(self, text: str, organization_id: UUID, user_id: UUID) -> Sequence[str]:
        """Use a code up; the SIMs it is for, none if it is unknown, expired or used."""
        code = await self._codes.with_hash(_hash(text))
        if code is None or not code.use(organization_id, user_id, datetime.now(UTC)):
            return ()
        return code.iccids

    async def revoke(self, code_id: UUID) -> None:
        code = await self._codes.get(code_id)
        if code is None:
            raise NotFound("no such claim code", code="CLAIM_CODE_NOT_FOUND")
        code.revoke(datetime.now(UTC))

    async def page(self, paging: PageParams) -> PageResult[ClaimCode]:
        return await self._codes.page(paging)


def _new_code() -> str:
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def _hash(text: str) -> bytes:
    """Of the code as it is meant, however it was typed."""
    return hashlib.sha256("".join(text.upper().replace("-", " ").split()).encode()).digest()
