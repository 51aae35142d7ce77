"""SIMs from a spreadsheet: what is good comes in as a whole, what is bad is named by row and column."""

import asyncio
import io
import subprocess
import sys
import zipfile
from typing import Any
from uuid import uuid4

import httpx
import pytest
from openpyxl import Workbook

from sim_service.platform.iccid import luhn_digit

from ..support import Fleet


async def send(
    fleet: Fleet, content: bytes | str, *, by: httpx.AsyncClient | None = None, **params: Any
) -> httpx.Response:
    body = content.encode() if isinstance(content, str) else content
    files = {"file": ("sims.csv", body)}
    if by is None:  # who may claim any SIM for an organisation
        by, params = fleet.platform, {"organization_id": str(fleet.ours.id)} | params
    return await by.post("/sims/import", files=files, params=params)


def xlsx(*rows: list[Any]) -> bytes:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


async def ours(fleet: Fleet) -> list[str]:
    items = (await fleet.ours.viewer.get("/sims", params={"page_size": 200})).json()["items"]
    return [item["iccid"] for item in items]


async def synced(fleet: Fleet, number: int) -> list[str]:
    await fleet.sync()
    return [sim.iccid for sim in fleet.sandbox.sims()[:number]]


async def test_an_import_claims_labels_tags_describes_and_links(fleet: Fleet) -> None:
    first, second, third, fourth = await synced(fleet, 4)
    await fleet.claim(first)
    device, naming = await fleet.device(), await fleet.device(iccid=third)
    await fleet.forget_events()
    lines = [
        "ICCID,label,tags,metadata,device_id",
        f'{first}{luhn_digit(first)},Pump 1,"north;south","{{""site"": 7}}",',
        f"{second},,,,{device}",
        f"{third},Pump 3,,,",
        "",
        f"{fourth},{fleet.sandbox.sims()[3].label},,,",
    ]
    answer = await send(fleet, "\r\n".join(lines))
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["rows"], report["good"], report["bad"], report["applied"]) == (4, 4, 0, True)
    assert (report["claimed"], report["linked"], report["labels"], report["updated"]) == (3, 2, 2, 4)
    sims = {sim["iccid"]: sim for sim in (await fleet.ours.viewer.get("/sims")).json()["items"]}
    assert list(sims) == [first, second, third, fourth]
    assert (sims[first]["tags"], sims[first]["metadata"]) == (["north", "south"], {"site": 7})
    assert (sims[second]["device_id"], sims[third]["device_id"]) == (str(device), str(naming))
    told = {event["data"]["iccid"]: event["data"] for event in await fleet.events("sim.updated")}
    assert set(told) == {second, third, fourth}
    assert told[second]["device_id"] == str(device)
    await fleet.reconcile()
    assert [sim.label for sim in fleet.sandbox.sims()[:3]][::2] == ["Pump 1", "Pump 3"]
    again = (await send(fleet, "\n".join(lines))).json()
    assert (again["claimed"], again["linked"], again["labels"], again["updated"]) == (0, 0, 0, 0)


async def test_a_workbook_is_read_like_a_csv_file(fleet: Fleet) -> None:
    first, second = await synced(fleet, 2)
    book = xlsx(["iccid", "label", "tags"], [first, 7, "a;b"], [None, None, None], [second, "x", None])
    report = (await send(fleet, book)).json()
    assert (report["rows"], report["claimed"], report["labels"]) == (2, 2, 2)
    number = xlsx(["iccid"], [int(first)])
    (problem,) = (await send(fleet, number)).json()["error"]["details"]["problems"]
    assert (problem["row"], problem["column"]) == (2, "iccid")
    assert "15 digits" in problem["reason"]


async def test_a_dry_run_reports_the_same_and_changes_nothing(fleet: Fleet) -> None:
    first, second = await synced(fleet, 2)
    text = f"iccid,tags\n{first},a\n{second},b\n8988280666999999999,c\n"
    report = (await send(fleet, text, dry_run=True)).json()
    assert (report["good"], report["bad"], report["claimed"], report["applied"]) == (2, 1, 2, False)
    assert await ours(fleet) == []
    refused = await send(fleet, text)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "IMPORT_REFUSED")
    assert refused.json()["error"]["details"]["problems"] == [
        {"row": 4, "column": "iccid", "reason": "no such SIM"}
    ]
    assert await ours(fleet) == []
    partial = (await send(fleet, text, partial=True)).json()
    assert (partial["good"], partial["bad"], partial["claimed"], partial["applied"]) == (2, 1, 2, True)
    assert await ours(fleet) == [first, second]


async def test_every_bad_cell_is_named(fleet: Fleet) -> None:
    first, second, third, fourth, fifth, sixth = await synced(fleet, 6)
    wrong = first + str((luhn_digit(first) + 1) % 10)
    rows = [
        ("iccid", f"{wrong},,,,"),
        ("iccid", "12,,,,"),
        ("iccid", ",label,,,"),
        ("label", f"{second},=HYPERLINK(1),,,"),
        ("label", f"{third},@x,,,"),
        ("label", f"{fourth},{'x' * 256},,,"),
        ("tags", f"{fifth},,{'y' * 65},,"),
        ("metadata", f"{first},,,[1],"),
        ("metadata", f"{first},,,{{,"),
        ("device_id", f"{first},,,,7"),
        ("device_id", f"{sixth},,,,{uuid4()}"),
        (None, f"{first},,,,,extra"),
    ]
    text = "iccid,label,tags,metadata,device_id\n" + "\n".join(line for _, line in rows)
    answer = await send(fleet, text)
    assert answer.status_code == 422
    found = answer.json()["error"]["details"]["problems"]
    assert [(one["row"], one["column"]) for one in found] == [
        (number, column) for number, (column, _) in enumerate(rows, start=2)
    ]
    assert all(one["reason"] for one in found)


async def test_a_sim_named_twice_and_a_device_named_twice_are_refused(fleet: Fleet) -> None:
    first, second, third = await synced(fleet, 3)
    device, taken = await fleet.device(), await fleet.device()
    await fleet.claim(third)
    await fleet.ours.operator.put(f"/sims/{third}/device", json={"device_id": str(taken)})
    text = f"iccid,device_id\n{first},{device}\n{second},{device}\n{first}{luhn_digit(first)},\n"
    found = (await send(fleet, text)).json()["error"]["details"]["problems"]
    assert [(one["row"], one["column"]) for one in found] == [(3, "device_id"), (4, "iccid")]
    assert found[1]["reason"] == "the same SIM as in row 2"
    (problem,) = (await send(fleet, f"iccid,device_id\n{first},{taken}\n")).json()["error"]["details"][
        "problems"
    ]
    assert problem["reason"] == f"the device already has the SIM {third}"


async def test_a_sim_moves_from_one_device_to_another(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    old, new = await fleet.device(iccid=iccid), await fleet.device()
    assert (await send(fleet, f"iccid,device_id\n{iccid},{new}\n")).json()["linked"] == 1
    sim = (await fleet.ours.viewer.get(f"/sims/{iccid}")).json()
    assert sim["device_id"] == str(new)
    await fleet.device_updated(old, 2, iccid=None)
    assert (await fleet.ours.viewer.get(f"/sims/{iccid}")).json()["device_id"] == str(new)


async def test_sims_and_devices_of_others_are_unknown(fleet: Fleet) -> None:
    first, second = await synced(fleet, 2)
    await fleet.claim(first, by=fleet.theirs)
    strange = await fleet.device(fleet.theirs)
    text = f"iccid,device_id\n{first},\n{second},{strange}\n"
    answer = await send(fleet, text)
    assert [one["reason"] for one in answer.json()["error"]["details"]["problems"]] == [
        "no such SIM",
        "no such device",
    ]


async def test_only_admins_claim_by_import_and_viewers_do_not_import(fleet: Fleet) -> None:
    first, second = await synced(fleet, 2)
    await fleet.claim(first)
    text = f"iccid,tags\n{first},a\n{second},b\n"
    report = (await send(fleet, text, by=fleet.ours.operator, partial=True)).json()
    assert report["problems"] == [{"row": 3, "column": "iccid", "reason": "no such SIM"}]
    assert await ours(fleet) == [first]
    assert (await send(fleet, text, by=fleet.ours.viewer)).status_code == 403
    assert (await send(fleet, text, by=fleet.anyone)).status_code == 401
    for_others = await send(fleet, text, by=fleet.ours.admin, organization_id=fleet.theirs.id)
    assert for_others.json()["error"]["code"] == "ORGANIZATION_NOT_FOUND"
    by_platform = await send(fleet, f"iccid\n{second}\n", by=fleet.platform, organization_id=fleet.theirs.id)
    assert by_platform.json()["claimed"] == 1
    assert (await fleet.theirs.viewer.get(f"/sims/{second}")).status_code == 200


def bomb(size: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"\0" * size)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason", "row"),
    [
        (b"", "empty", None),
        (b"\xef\xbb\xbf", "no column iccid", 1),
        (b"iccid,label\n", "no rows", 1),
        (b"label,tags\nx,y\n", "no column iccid", 1),
        (b"iccid,colour\n8988280666000000000,red\n", "unknown column 'colour'", 1),
        (b"iccid,label,label\n8988280666000000000,a,b\n", "twice", 1),
        ("iccid,label\n8988280666000000000,Zürich\n".encode("cp1252"), "not UTF-8", 2),
        ("iccid\n8988280666000000000\n".encode("utf-16"), "UTF-16", None),
        (b'iccid,label\n8988280666000000000,"open\n', "not CSV", 2),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS", None),
        (b"PK\x03\x04 not a workbook", "not a readable XLSX", None),
        (bomb(300 * 1024**2), "unpacks to more", None),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
async def test_a_file_that_cannot_be_read_is_refused_as_a_whole(
    fleet: Fleet, content: bytes, reason: str, row: int | None
) -> None:
    answer = await send(fleet, content, partial=True)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] == "IMPORT_UNREADABLE"
    (field,) = error["details"]["fields"]
    assert (field["field"], field.get("row")) == ("file", row)
    assert reason in field["message"]


async def test_utf8_with_a_mark_and_semicolons_are_recognised(fleet: Fleet) -> None:
    (first,) = await synced(fleet, 1)
    text = f'\ufefficcid;label;tags\r\n{first};Zürich;"a;b"\r\n'
    assert (await send(fleet, text)).json()["labels"] == 1
    assert (await fleet.ours.viewer.get(f"/sims/{first}")).json()["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    "request_parts",
    [
        {"content": b"iccid\n1\n", "headers": {"Content-Type": "text/csv"}},
        {"data": {"file": "text"}},
        {"files": {"sheet": ("x.csv", b"iccid\n1\n")}},
        {"content": b"--x\r\nbroken", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"content": b"", "headers": {"Content-Type": "multipart/form-data"}},
        {"files": [("file", ("a", b"a")), ("file", ("b", b"b"))]},
    ],
)
async def test_a_malformed_upload_is_refused(fleet: Fleet, request_parts: dict[str, Any]) -> None:
    answer = await fleet.ours.admin.post("/sims/import", **request_parts)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["error"]["code"]


async def test_a_file_that_is_too_large_is_not_read(fleet: Fleet) -> None:
    answer = await send(fleet, b"x" * (32 * 1024**2 + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_imports_and_claims_at_once_leave_one_owner(fleet: Fleet) -> None:
    iccids = await synced(fleet, 20)
    text = "iccid,tags\n" + "\n".join(f"{iccid},x" for iccid in iccids)
    answers = await asyncio.gather(
        send(fleet, text),
        send(fleet, text, organization_id=fleet.theirs.id),
        fleet.ask_claim(*iccids, by=fleet.theirs),
    )
    assert sorted(answer.status_code for answer in answers)[0] == 200
    owners = await fleet.rows("SELECT DISTINCT organization_id FROM sims WHERE organization_id IS NOT NULL")
    assert len(owners) == 1


async def test_a_label_that_is_on_its_way_is_not_asked_for_again(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    assert (await send(fleet, f"iccid,label\n{iccid},a\n")).json()["labels"] == 1
    assert (await send(fleet, f"iccid,label\n{iccid},a\n")).json()["labels"] == 0
    assert (await send(fleet, f"iccid,label\n{iccid},b\n")).json()["labels"] == 1
    actions = (await fleet.ours.viewer.get(f"/sims/{iccid}/actions")).json()["items"]
    assert sorted((one["wanted"], one["state"]) for one in actions) == [("a", "superseded"), ("b", "pending")]


@pytest.mark.parametrize("format", ["csv", "xlsx"])
async def test_the_template_is_an_import_without_rows(fleet: Fleet, format: str) -> None:
    answer = await fleet.ours.viewer.get("/sims/import/template", params={"format": format})
    assert answer.status_code == 200
    assert f'filename="sims-import.{format}"' in answer.headers["content-disposition"]
    refused = await send(fleet, answer.content)
    assert "no rows" in refused.json()["error"]["message"]


def test_the_process_that_reads_a_file_starts_without_the_services_frameworks() -> None:
    """Each import waits for it, and loading them takes longer than reading the file."""
    names = "sim_service.provisioning.imports.reader_process"
    code = f"import sys, {names} as _; print(*{{'fastapi', 'sqlalchemy'}} & {{*sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
