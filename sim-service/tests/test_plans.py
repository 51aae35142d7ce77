"""Every query that a list or a read of the service makes can use an index.

Only totals over every organisation, which the platform administrator alone sees, may count whole tables.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.database import Sessions
from fleet_kit.keyset_pagination import SortOrder
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.repository import SimRepository
from sim_service.inventory.sims.schemas import SimConditions
from sim_service.tables import metadata

from .billing.policy_support import policy_of
from .messages.test_tickets import opened
from .provisioning.test_imports import send
from .support import Fleet

SMALL = {"job_schedules", "products", "quota_thresholds"}
"""Tables that never hold more than a few rows, or than a few for each organisation."""
BIG = set(metadata.tables) - SMALL
PAGING = {"page", "page_size", "cursor"}
Asked = dict[str, tuple[Any, ...]]


@contextmanager
def queries(engine: AsyncEngine) -> Iterator[Asked]:
    """Every SELECT, and what changes rows by a condition, with the parameters of its first run."""
    found: Asked = {}

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        if not many and re.match(r"\s*(SELECT|WITH|UPDATE|DELETE)", statement):
            found.setdefault(statement, tuple(parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


async def plan(engine: AsyncEngine, statement: str, parameters: tuple[Any, ...], **settings: str) -> Any:
    async with engine.connect() as connection:
        for name, value in settings.items():
            await connection.execute(text(f"SET LOCAL {name} = {value}"))
        rows = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        answer = rows.scalar_one()
        await connection.rollback()
    return (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]


def examples(parameter: dict[str, Any]) -> list[Any]:
    """Values worth asking for: every one of an enumeration, one of anything else."""
    schema = parameter["schema"]
    for choice in [schema, *schema.get("anyOf", []), schema.get("items", {})]:
        if "enum" in choice:
            return list(choice["enum"])
        simple: dict[str, list[Any]] = {"boolean": [True], "integer": [1], "number": [1]}
        if kind := simple.get(choice.get("type", "")):
            return kind
        if choice.get("type") == "string":
            by_format = {"uuid": "01890000-0000-7000-8000-000000000001", "date": "2026-01-01"}
            by_format["date-time"] = "2026-01-01T00:00:00Z"
            return [by_format.get(choice.get("format", ""), "8988280666000000")]
    return ["8988280666000000"]


def inlined(schema: Any, components: dict[str, Any]) -> Any:
    """The schema without references."""
    if isinstance(schema, list):
        return [inlined(part, components) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return inlined(components[schema["$ref"].rsplit("/", 1)[1]], components)
    return {name: inlined(value, components) for name, value in schema.items()}


def reads(fleet: Fleet) -> dict[str, list[dict[str, Any]]]:
    """Every GET below /api/v1 with its query parameters."""
    document = fleet.app.openapi()
    schemas = document["components"]["schemas"]
    return {
        path.removeprefix("/api/v1"): [
            inlined(one, schemas) for one in methods["get"].get("parameters", ()) if one["in"] == "query"
        ]
        for path, methods in document["paths"].items()
        if path.startswith("/api/v1/") and "get" in methods
    }


async def test_no_read_of_the_service_has_to_look_at_a_whole_table(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    job = (await fleet.ours.operator.post("/sims/bulk", json={"action": "disable", "iccids": [iccid]})).json()
    fleet.app.state.settings = fleet.settings.model_copy(update={"import_request_rows": 1})
    names = {
        "import_id": (await send(fleet, f"iccid\n{iccid}\n8988280666999999999\n")).json()["id"],
        "iccid": iccid,
        "job_id": job["id"],
        "policy_id": (await policy_of(fleet))["id"],
        "ticket_id": (await opened(fleet))["id"],
        "kind": "data",
    }
    engine: AsyncEngine = fleet.app.state.resources.engine
    with queries(engine) as asked:
        await read_all(fleet.ours.viewer, fleet, names)
    with queries(engine) as asked_by_platform:
        await read_all(fleet.platform, fleet, names)
    assert len(asked) > 80, "the service has more queries than that"
    of_everything = {
        statement: given
        for statement, given in asked_by_platform.items()
        if "count(*)" not in statement and "GROUP BY" not in statement
    }
    whole = [
        f"{tables}: {' '.join(statement.split())}"
        for statement, given in (of_everything | asked).items()
        if (tables := await scanned(engine, statement, given) & BIG)
    ]
    assert not whole, "\n".join(whole)


async def read_all(client: httpx.AsyncClient, fleet: Fleet, names: dict[str, str]) -> None:
    """Ask every read of the service for what it has, for its next page, and with each of its filters."""
    for path, parameters in reads(fleet).items():
        if set(re.findall(r"\{(\w+)\}", path)) - set(names):
            continue
        address = path.format(**names)
        answer = await client.get(address)
        if answer.status_code == 403 and client is not fleet.platform:
            continue  # the platform administrator alone reads it
        assert answer.status_code < 400, (path, answer.text)
        is_page = answer.headers["content-type"] == "application/json" and "next_cursor" in answer.json()
        if is_page and (cursor := answer.json()["next_cursor"]):
            await client.get(address, params={"cursor": cursor})
        for parameter in parameters:
            for value in examples(parameter) if parameter["name"] not in PAGING else ():
                await client.get(address, params={parameter["name"]: value})


async def scanned(engine: AsyncEngine, statement: str, given: tuple[Any, ...]) -> set[str]:
    """Tables of which no index helps; partitions by the name of their table."""
    found = await plan(engine, statement, given, enable_seqscan="off")
    return {
        re.sub(r"(_p?\d[\d_]*|_default)$", "", node["Relation Name"])
        for node in nodes(found)
        if node["Node Type"] == "Seq Scan"
    }


SEED = """
    INSERT INTO sims (iccid, carrier, organization_id, status, lifecycle, label, tags, data_quota_state,
                      sms_quota_state, created_at, updated_at)
    SELECT (8988280666000000000 + n)::text, '1nce', CASE WHEN n % 2 = 0 THEN CAST(:ours AS uuid) END,
           CASE WHEN n % 12 = 0 THEN 'disabled' ELSE 'enabled' END, 'enabled', 'pump ' || n,
           CASE WHEN n % 500 = 0 THEN '{rare,all}'::text[] ELSE '{all}' END,
           CASE WHEN n % 100 = 0 THEN 'low' ELSE 'ok' END, 'ok', now() - n * interval '1 s',
           now() - (n * 7919 % 100000) * interval '1 s'
    FROM generate_series(0, 19999) n RETURNING 1
"""
ORDERS = [
    f"{sign}{name}" for name in ("iccid", "label", "status", "created_at", "updated_at") for sign in ("", "-")
]


async def test_no_page_of_the_inventory_reads_or_sorts_more_than_it_shows(fleet: Fleet) -> None:
    """With 20,000 SIMs and the planner's own choice: a page comes out of its index in order."""
    await fleet.rows(SEED, ours=str(fleet.ours.id))
    engine: AsyncEngine = fleet.app.state.resources.engine
    async with engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(
            text("VACUUM ANALYZE sims")
        )
    with queries(engine) as asked:
        for client in (fleet.ours.viewer, fleet.platform):
            for order in ORDERS:
                page = (await client.get("/sims", params={"sort": order})).json()
                await client.get("/sims", params={"sort": order, "cursor": page["next_cursor"]})
    pages = {statement: given for statement, given in asked.items() if "ORDER BY sims." in statement}
    assert len(pages) == 2 * 2 * len(ORDERS)
    for statement, given in pages.items():
        kinds = {node["Node Type"] for node in nodes(await plan(engine, statement, given))}
        assert not kinds & {"Seq Scan", "Sort", "Incremental Sort"}, statement
        assert "Index Scan" in kinds


@pytest.mark.parametrize(
    "wanted",
    [{"status": "unknown"}, {"tag": "rare"}, {"label": "pump 7"}, {"lifecycle": "failed"}, {"linked": True},
     {"missing": True}, {"quota_state": "exhausted"}, {"desired_status": "disabled"}, {"search": "pump 199"}],
    ids=str,
)  # fmt: skip
async def test_what_few_sims_are_is_found_without_looking_at_all(
    fleet: Fleet, wanted: dict[str, Any]
) -> None:
    await fleet.rows(SEED, ours=str(fleet.ours.id))
    engine: AsyncEngine = fleet.app.state.resources.engine
    async with engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(
            text("VACUUM ANALYZE sims")
        )
    with queries(engine) as asked:
        assert (await fleet.ours.viewer.get("/sims", params=wanted)).status_code == 200
    about_sims = {statement: given for statement, given in asked.items() if "FROM sims" in statement}
    assert len(about_sims) == 2, "the page and its total"
    for statement, given in about_sims.items():
        for node in nodes(await plan(engine, statement, given)):
            if node.get("Relation Name") == "sims":
                assert node["Node Type"] != "Seq Scan", statement
                assert node["Plan Rows"] < 1000, statement


async def test_a_search_reads_what_it_finds_however_often_it_was_made(
    fleet: Fleet, sessions: Sessions
) -> None:
    """Postgres forgets the values of a statement after five times, if nobody tells it not to."""
    await fleet.rows(SEED, ours=str(fleet.ours.id))
    async with sessions() as session:
        await session.execute(text("ANALYZE sims"))
        sims, order = SimRepository(session, Scope(fleet.ours.id)), SortOrder("iccid", Sim.iccid, Sim.iccid)
        before = await session.scalar(text(READ))
        for _ in range(8):
            found = await sims.page(SimConditions(search="pump 1998"), order, PageParams())
            assert found.total == 6
        assert await session.scalar(text(READ)) - before < 8 * 200


READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'sims'"
