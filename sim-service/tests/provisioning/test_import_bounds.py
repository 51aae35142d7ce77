"""Files that were made to cost more than they may: each is refused, and nothing is left running."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from fleet_kit.testing import eventually
from sim_service.platform.subprocess_pool import SubprocessPool

from ..support import Fleet, children_with
from .test_imports import ours, send, synced
from .workbooks import SHEET, STRINGS, STYLES, formats, sheet, strings, workbook

pytestmark = pytest.mark.attack

ICCID = b"8988280666000000000"


def shared(number: int) -> bytes:
    """One long text in many cells."""
    rows = b"".join(b'<row><c t="s"><v>0</v></c></row>' for _ in range(number))
    return workbook({SHEET: sheet(rows), STRINGS: strings(b"x" * 32_000)}, padding=1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (workbook({SHEET: sheet(b'<row r="1048576"><c><v>1</v></c></row>')}), "with the empty ones"),
        (workbook({SHEET: sheet(b"<row/>" * 2_000_000)}), "unpacks to more"),
        (workbook({SHEET: sheet(b'<row r="2">' + b"<c/>" * 3_000_000 + b"</row>")}), "unpacks to more"),
        (workbook({STYLES: formats(3_000_000)}, padding=200_000), "memory"),
        (workbook({SHEET: sheet(b"<row>" + b"<c/>" * 4_000_000 + b"</row>")}, padding=200_000), "memory"),
        (shared(3000), "more text in them"),
        (b"iccid\n" + b"," * 64 + b"\n", "more than 64 columns"),
        (b"iccid" + b"," * 20_000_000, "a line has more than"),
        (b"iccid,label\n" + ICCID + b"," + b"x" * 32_768 + b"\n", "field larger than"),
        (b"iccid\n" + b"\n" * 200_001, "with the empty ones"),
    ],
    ids=[
        "a million empty rows",
        "many empty rows",
        "many empty cells",
        "cell formats",
        "one long row",
        "one text in many cells",
        "many columns",
        "a long line",
        "a long cell",
        "many empty lines",
    ],
)
async def test_a_file_that_costs_more_than_it_may_is_refused(
    fleet: Fleet, content: bytes, reason: str
) -> None:
    assert len(content) < 32 * 1024**2
    answer = await send(fleet, content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "IMPORT_UNREADABLE"), answer.text
    (field,) = answer.json()["error"]["details"]["fields"]
    assert reason in field["message"]


async def test_filled_cells_are_a_budget(fleet: Fleet) -> None:
    fleet.app.state.settings = fleet.settings.model_copy(update={"import_most_cells": 20})
    rows = "\n".join(f"{ICCID.decode()},a" for _ in range(10))
    answer = await send(fleet, f"iccid,label\n{rows}")
    assert answer.status_code == 422
    assert "more cells" in answer.json()["error"]["message"]


async def test_an_organisation_reads_one_file_at_a_time_and_a_full_pool_says_when_to_come_again(
    fleet: Fleet,
) -> None:
    (first,) = await synced(fleet, 1)
    text = f"iccid\n{first}\n"
    pool = fleet.app.state.spreadsheets = SubprocessPool(1, memory_mib=256, wait=0.05)
    async with pool.slot(fleet.ours.id):
        mine = await send(fleet, text, by=fleet.ours.admin)
        others = await send(fleet, text, by=fleet.theirs.admin)
        export = await fleet.theirs.viewer.get("/sims/export", params={"format": "xlsx"})
    assert (mine.status_code, mine.json()["error"]["code"]) == (429, "SPREADSHEET_IN_WORK")
    for answer in (others, export):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SPREADSHEETS_BUSY")
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in (mine, others, export))
    assert await ours(fleet) == []
    assert (await send(fleet, text)).status_code == 503, "the place is kept for who was refused before"
    again = await fleet.theirs.viewer.get("/sims/export", params={"format": "xlsx"})
    assert again.status_code == 200
    assert (await send(fleet, text)).status_code == 200


async def test_a_reader_ends_with_the_client_that_wanted_it(fleet: Fleet, app_url: str) -> None:
    (first,) = await synced(fleet, 1)
    fleet.app.state.settings = fleet.settings.model_copy(update={"import_request_rows": 100_000})
    unknown = "\n".join(f"{8900000000000000000 + number}" for number in range(80_000))
    content = f"iccid\n{first}\n{unknown}".encode()
    headers = dict(fleet.ours.admin.headers)
    async with httpx.AsyncClient(base_url=app_url, headers=headers, timeout=60) as client:
        upload = asyncio.create_task(
            client.post("/sims/import", files={"file": ("sims.csv", content)}, params={"partial": True})
        )

        async def is_read() -> bool:
            assert not upload.done(), "the file was read too quickly for this test"
            return bool(children_with(b"reader_process"))

        await eventually(is_read)
        upload.cancel()
        await asyncio.gather(upload, return_exceptions=True)

        async def is_over() -> bool:
            again = await send(fleet, "iccid\n")
            return again.status_code == 422 and not children_with(b"reader_process")

        await eventually(is_over)
    assert await ours(fleet) == [], "the import went on without its client"


@pytest.mark.parametrize("path", ["/sims/import", "/sim/push/streamer"])
@pytest.mark.parametrize("credential", [None, "Bearer eyJhbGciOi.eyJzdWIi.c2ln", "Basic dXNlcjpwYXNz"])
async def test_of_a_stranger_no_body_is_read(fleet: Fleet, path: str, credential: str | None) -> None:
    read = False

    async def never_ending() -> AsyncIterator[bytes]:
        nonlocal read
        read = True
        yield b"x"

    headers = {"Content-Type": "multipart/form-data; boundary=b"} | (
        {"Authorization": credential} if credential else {}
    )
    answer = await fleet.anyone.post(path, content=never_ending(), headers=headers)
    assert answer.status_code in {401, 404}
    assert not read


async def test_who_sends_a_file_slowly_takes_no_place_from_others(fleet: Fleet) -> None:
    (first,) = await synced(fleet, 1)
    pool = fleet.app.state.spreadsheets = SubprocessPool(1, memory_mib=256, wait=0.05)
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"--b\r\n"
        begun.set()
        await may_end.wait()

    slow = asyncio.create_task(
        fleet.theirs.admin.post(
            "/sims/import", content=slowly(), headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
    )
    await begun.wait()
    assert fleet.theirs.id in pool._owners
    mine = await send(fleet, f"iccid\n{first}\n")
    again = await send(fleet, "iccid\n", by=fleet.theirs.admin)
    may_end.set()
    assert (await slow).status_code in {400, 422}
    assert mine.status_code == 200
    assert (again.status_code, again.json()["error"]["code"]) == (429, "SPREADSHEET_IN_WORK")


async def test_slots_come_back_whatever_happens_in_them(fleet: Fleet) -> None:
    pool = fleet.app.state.spreadsheets = SubprocessPool(1, memory_mib=256, wait=0.0)
    for content in (b"iccid\n", b"PK\x03\x04 no workbook", b""):
        assert (await send(fleet, content)).status_code == 422
    async with pool.slot(uuid4()):
        pass
