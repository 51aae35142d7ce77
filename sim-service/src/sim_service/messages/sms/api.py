"""HTTP: send, cancel and read messages."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import DbSession
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser, Role
from fleet_kit.scope import Scope
from sim_service.carrier.dependencies import AppCarrier
from sim_service.carrier.models import Priority
from sim_service.inventory.sims.service import SimService, owner_of
from sim_service.messages.sms.dispatch import SmsDispatch, refusal_of
from sim_service.messages.sms.models import SmsMessage, State
from sim_service.messages.sms.repository import SmsFilter
from sim_service.messages.sms.schemas import AllSmsQuery, ConversationQuery, LineOut, SmsIn, SmsOut, SmsQuery
from sim_service.messages.sms.service import SmsService, check
from sim_service.platform.dependencies import AppSessions, AppSettings
from sim_service.platform.iccid_path import IccidPath
from sim_service.platform.idempotency import RequestIdempotency

router = APIRouter(tags=["sms"])
_UNSAID = (State.SCHEDULED, State.CANCELLED)


@router.post("/sims/{iccid}/sms", status_code=201)
async def send_sms(
    iccid: IccidPath,
    body: SmsIn,
    user: CurrentUser,
    sessions: AppSessions,
    settings: AppSettings,
    carrier: AppCarrier,
    idempotency: RequestIdempotency,
) -> SmsOut:
    """Send a message now, or have it sent later; `state` says how far it is.

    Written down before the carrier is asked: while that is away the message stays `pending` and goes out
    by itself. `unknown`: the answer was lost; the carrier's list is looked at before anything is repeated.
    """
    async with sessions.begin() as session:
        sms = SmsService(session, user.scope)
        sim = await SimService(session, user.scope).get(iccid)
        user.require(Role.OPERATOR)
        owner, key = str(owner_of(sim)), idempotency.within(session)
        if known := await key.replay(owner):
            message = await sms.get(UUID(known["id"]))
        else:
            check(body.draft(), most_parts=settings.sms_most_parts)
            message = await sms.write(
                iccid,
                body.draft(),
                most_parts=settings.sms_most_parts,
                most_kept=settings.sms_per_organization,
                requested_by=user.user_id,
                hold=True,
            )
            await key.remember(owner, {"id": str(message.id)})
    if known is None and message.state == State.PENDING:
        await SmsDispatch(sessions, carrier).send(message.id, Priority.INTERACTIVE)
        async with sessions() as session:
            message = await SmsService(session, user.scope).get(message.id)
    if refusal := refusal_of(message):
        raise refusal
    return SmsOut.model_validate(message)


@router.get("/sims/sms")
async def list_all_sms(
    user: CurrentUser, session: DbSession, paging: Paging, query: Annotated[AllSmsQuery, Query()]
) -> Page[SmsOut]:
    """Messages of all SIMs of the organisation, newest first."""
    found = await SmsService(session, user.scope).find(query.filter(query.iccid), paging)
    return found.to_page(SmsOut.model_validate, paging)


@router.get("/sims/{iccid}/sms")
async def list_sms(
    iccid: IccidPath,
    user: CurrentUser,
    session: DbSession,
    paging: Paging,
    query: Annotated[SmsQuery, Query()],
) -> Page[SmsOut]:
    """Messages of one SIM in both directions, newest first."""
    await SimService(session, user.scope).get(iccid)
    found = await SmsService(session, user.scope).find(query.filter(iccid), paging)
    return found.to_page(SmsOut.model_validate, paging)


@router.get("/sims/{iccid}/sms/conversation")
async def read_conversation(
    iccid: IccidPath,
    user: CurrentUser,
    session: DbSession,
    paging: Paging,
    query: Annotated[ConversationQuery, Query()],
) -> Page[LineOut]:
    """What was said in both directions in the order of time, long messages whole."""
    await SimService(session, user.scope).get(iccid)
    wanted = SmsFilter(iccid=iccid, without=_UNSAID, first=query.since, last=query.until)
    found = await SmsService(session, user.scope).find(wanted, paging, sort=query.sort)
    return found.to_page(LineOut.model_validate, paging)


@router.get("/sims/{iccid}/sms/{message_id}")
async def read_sms(iccid: IccidPath, message_id: UUID, user: CurrentUser, session: DbSession) -> SmsOut:
    """One message with what became of each part."""
    return SmsOut.model_validate(await _message(session, user.scope, iccid, message_id))


@router.delete("/sims/{iccid}/sms/{message_id}")
async def cancel_sms(
    iccid: IccidPath, message_id: UUID, user: CurrentUser, sessions: AppSessions, carrier: AppCarrier
) -> SmsOut:
    """Cancel a message: before it is sent, or at the carrier while it is not delivered; 409 when too late."""
    async with sessions() as session:
        await _message(session, user.scope, iccid, message_id)
    user.require(Role.OPERATOR)
    return SmsOut.model_validate(await SmsDispatch(sessions, carrier).cancel(message_id, user.scope))


async def _message(session: AsyncSession, scope: Scope, iccid: str, message_id: UUID) -> SmsMessage:
    await SimService(session, scope).get(iccid)
    return await SmsService(session, scope).get(message_id, iccid=iccid)
