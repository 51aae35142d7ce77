"""HTTP: list and read SIMs."""

from typing import Annotated

from fastapi import APIRouter, Query

from fleet_kit.database import DbSession
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser
from sim_service.inventory.sims.cache_tags import list_tag, sim_tag
from sim_service.inventory.sims.schemas import SimOut, SimQuery
from sim_service.inventory.sims.service import SimService
from sim_service.platform.cache.service import CachedQuery, CachedRead
from sim_service.platform.dependencies import AppCache
from sim_service.platform.iccid_path import IccidPath
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.service import JobService

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
        found = await SimService(session, user.scope).page(query, query.order(), paging)
        confirmed_at = await JobService(session).last_success(JobKind.SYNC_SIMS)
        return found.to_page(lambda sim: SimOut.of(sim, confirmed_at), paging)

    if query.search or paging.cursor is not None or paging.page > 1:
        return await load()  # hardly asked for again, and it would take the place of what is
    asked = f"{query.model_dump_json()} {paging.page_size}"
    tags = [list_tag(user.scope.organization_id)]
    return await cache.get(CachedQuery(CachedRead.SIM_LIST, user.scope, asked, Page[SimOut], load, tags))


@router.get("/sims/{iccid}")
async def read_sim(iccid: IccidPath, user: CurrentUser, session: DbSession, cache: AppCache) -> SimOut:
    """One SIM as it was last heard of."""

    async def load() -> SimOut:
        sim = await SimService(session, user.scope).get(iccid)
        return SimOut.of(sim, await JobService(session).last_success(JobKind.SYNC_SIMS))

    query = CachedQuery(CachedRead.SIM, user.scope, iccid, SimOut, load, [sim_tag(iccid)])
    return await cache.get(query)
