"""HTTP: list and read SIMs."""

from typing import Annotated

from fastapi import APIRouter, Query

from fleet_kit.database import DbSession
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser
from sim_service.cache.service import Question, Read
from sim_service.iccid_path import IccidPath
from sim_service.jobs.models import JobKind
from sim_service.jobs.service import JobService
from sim_service.resources import AppCache
from sim_service.sims.schemas import SimOut, SimQuery
from sim_service.sims.service import SimService

router = APIRouter(tags=["sims"])


@router.get("/sims")
async def list_sims(
    user: CurrentUser,
    session: DbSession,
    paging: Paging,
    query: Annotated[SimQuery, Query()],
    cache: AppCache,
) -> Page[SimOut]:
    """SIMs of the organisation; `search` takes any part of their numbers, addresses and labels."""

    async def load() -> Page[SimOut]:
        found = await SimService(session, user.scope).find(query.filter(), query.order(), paging)
        vouched = await JobService(session).last_success(JobKind.SYNC_SIMS)
        return found.shown_as(lambda sim: SimOut.of(sim, vouched), paging)

    asked = f"{query.model_dump_json()} {paging.page} {paging.page_size} {paging.cursor}"
    return await cache.ask(Question(Read.SIM_LIST, user.scope, asked, Page[SimOut], load))


@router.get("/sims/{iccid}")
async def read_sim(iccid: IccidPath, user: CurrentUser, session: DbSession, cache: AppCache) -> SimOut:
    """One SIM as it was last heard of."""

    async def load() -> SimOut:
        sim = await SimService(session, user.scope).get(iccid)
        return SimOut.of(sim, await JobService(session).last_success(JobKind.SYNC_SIMS))

    return await cache.ask(Question(Read.SIM, user.scope, "", SimOut, load, iccid=iccid))
