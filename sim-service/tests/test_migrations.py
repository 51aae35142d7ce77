"""Migrations make an empty database what the models say."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from fleet_kit import migrate
from sim_service.migrate import MIGRATIONS
from sim_service.tables import metadata


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_migrating_an_empty_database_gives_exactly_the_models(
    postgres_url: Callable[[str], str],
) -> None:
    url = postgres_url("sim_migrations")
    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, url)

    def compare() -> list[object]:
        async def ask() -> list[object]:
            engine = create_async_engine(url)
            async with engine.connect() as connection:
                found = await connection.run_sync(differences)
            await engine.dispose()
            return found

        return asyncio.run(ask())

    assert await asyncio.to_thread(compare) == []


async def test_an_order_that_was_not_invoiced_yet_is_not_taken_for_free(
    postgres_url: Callable[[str], str],
) -> None:
    """The carrier shows zero until then; an order request of zero would have cost the budget nothing."""
    url = postgres_url("sim_migrations_amounts")
    await asyncio.to_thread(command.upgrade, migrate.config_for(MIGRATIONS, url), "0008")
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for number, amount in (("1", "0"), ("2", "11.90")):
            await connection.execute(
                text(
                    "INSERT INTO orders (number, carrier, kind, state, placed_at, amount, currency,"
                    " products, synced_at)"
                    f" VALUES ('{number}', 'once', 'first_order', 'created', now(), {amount}, 'EUR', '[]',"
                    " now())"
                )
            )
            await connection.execute(
                text(
                    "INSERT INTO order_requests (id, organization_id, products, lines, customer_reference,"
                    " requested_by, state, order_number, looks, next_look_at) VALUES (gen_random_uuid(),"
                    f" gen_random_uuid(), '[]', '', '', gen_random_uuid(), 'ordered', '{number}', 0, now())"
                )
            )
    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, url)
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT amount FROM order_requests ORDER BY order_number"))
        assert found.scalars().all() == [None, Decimal("11.90")]
    await engine.dispose()


SIMS_AND_RELEASES = """
    INSERT INTO sims (iccid, carrier, status, organization_id, label) VALUES
        ('1', 'once', 'enabled', NULL, 'released'), ('2', 'once', 'enabled', :next, 'released'),
        ('3', 'once', 'enabled', :next, 'own'), ('4', 'once', 'enabled', :next, 'released'),
        ('5', 'once', 'enabled', :first, 'released'), ('6', 'once', 'enabled', NULL, 'never released');
    INSERT INTO sim_releases (id, iccid, organization_id, label, tags, released_at)
    SELECT gen_random_uuid(), n::text, :first, 'released', '{}', now() FROM generate_series(1, 5) n;
    INSERT INTO sim_actions (id, iccid, organization_id, what, wanted, state, priority, attempts)
    VALUES (gen_random_uuid(), '4', :next, 'label', '"released"', 'confirmed', 0, 1)
"""


async def test_labels_of_earlier_owners_are_hidden_and_owners_keep_their_own(
    postgres_url: Callable[[str], str],
) -> None:
    """Also where the SIM had its next owner before."""
    url = postgres_url("sim_migrations_labels")
    await asyncio.to_thread(command.upgrade, migrate.config_for(MIGRATIONS, url), "0019")
    engine = create_async_engine(url)
    owners = {"first": f"'{uuid4()}'::uuid", "next": f"'{uuid4()}'::uuid"}
    async with engine.begin() as connection:
        filled = SIMS_AND_RELEASES.replace(":first", owners["first"]).replace(":next", owners["next"])
        for statement in filled.split(";"):
            await connection.exec_driver_sql(statement)
    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, url)
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT label, label_hidden FROM sims ORDER BY iccid"))
        hidden = ("", True)
        shown = [("own", False), ("released", False), ("released", False), ("never released", False)]
        assert [tuple(row) for row in found] == [hidden, hidden, *shown]
    await engine.dispose()


async def test_migrating_twice_changes_nothing(postgres_url: Callable[[str], str]) -> None:
    url = postgres_url("sim_migrations")
    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, url)
    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, url)
