"""SIMs as a file: the list's filters, streamed, and safe to open in a spreadsheet."""

import csv
import io
import json
from typing import Any

import pytest
from openpyxl import load_workbook

from ..support import Fleet
from .test_imports import send


async def export(fleet: Fleet, format: str, **params: Any) -> Any:
    answer = await fleet.ours.viewer.get("/sims/export", params={"format": format} | params)
    assert answer.status_code == 200, answer.text
    assert f".{format}" in answer.headers["content-disposition"]
    return answer


async def rows(fleet: Fleet, format: str, **params: Any) -> list[dict[str, Any]]:
    answer = await export(fleet, format, **params)
    if format == "jsonl":
        return [json.loads(line) for line in answer.content.splitlines()]
    if format == "csv":
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    sheet = load_workbook(io.BytesIO(answer.content), read_only=True).worksheets[0]
    header, *found = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in found]


@pytest.mark.parametrize("format", ["csv", "xlsx", "jsonl"])
async def test_an_export_holds_every_sim_of_the_organisation_once(fleet: Fleet, format: str) -> None:
    iccids = await fleet.owned_sims(30)
    device_id = await fleet.device(iccid=iccids[0])
    await fleet.claim(fleet.sandbox.sims()[40].iccid, by=fleet.theirs)
    found = await rows(fleet, format)
    assert [row["iccid"] for row in found] == iccids
    assert found[0]["imsi"] == fleet.sandbox.sims()[0].imsi
    assert (found[0]["device_id"], found[1]["device_id"] or None) == (str(device_id), None)


@pytest.mark.parametrize("format", ["csv", "xlsx"])
async def test_what_a_spreadsheet_would_calculate_stays_text(fleet: Fleet, format: str) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fleet.sandbox.sims()[0].label = "=cmd|' /C calc'!A0"
    await fleet.sync()
    await fleet.ours.operator.patch(f"/sims/{iccid}", json={"tags": ["-2+3", 'a;"b"'], "metadata": {"x": 1}})
    (row,) = await rows(fleet, format)
    assert row["label"] == "'=cmd|' /C calc'!A0"
    assert row["tags"].startswith("'-2+3")
    assert row["metadata"] == '{"x":1}'


@pytest.mark.parametrize("format", ["csv", "xlsx", "jsonl"])
async def test_no_character_of_an_owner_or_the_carrier_makes_an_export_unreadable(
    fleet: Fleet, format: str
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fleet.sandbox.sims()[0].label = "a\x01\uffff\x0bb"
    await fleet.sync()
    unusual = {"note": "a\uffff\ufffe\x7f\x85\u202e\r\nb"}
    patched = await fleet.ours.operator.patch(f"/sims/{iccid}", json={"metadata": unusual})
    assert patched.json()["metadata"] == unusual
    (row,) = await rows(fleet, format)
    assert row["iccid"] == iccid
    if format == "xlsx":
        assert (row["label"], row["metadata"][:12]) == ("a\ufffd\ufffd\ufffdb", '{"note":"a\ufffd\ufffd')
    else:
        assert row["label"] == "a\x01\uffff\x0bb"


async def test_nothing_is_calculated_where_a_spreadsheet_separates_cells_by_semicolons(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fleet.sandbox.sims()[0].label = "a;=1+1"
    await fleet.sync()
    own = {"tags": ["a", "=2+2", '=3+3;"'], "metadata": {"x": ";=4+4"}}
    await fleet.ours.operator.patch(f"/sims/{iccid}", json=own)
    text = (await export(fleet, "csv")).text
    assert all(f"{number}+{number}" in text for number in (1, 2, 3, 4))
    cells = [cell.strip(' "') for line in csv.reader(io.StringIO(text), delimiter=";") for cell in line]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize("format", ["csv", "xlsx", "jsonl"])
async def test_a_number_beyond_64_bits_stands_in_no_reads_way(fleet: Fleet, format: str) -> None:
    fleet.app.state.settings = fleet.settings.model_copy(
        update={"cache_sim_seconds": 30, "cache_sim_list_seconds": 30}
    )
    (iccid,) = await fleet.owned_sims(1)
    changed = await fleet.ours.operator.patch(f"/sims/{iccid}", json={"metadata": {"x": 1e20}})
    assert changed.status_code == 200
    for path in ("/sims", f"/sims/{iccid}") * 2:
        assert (await fleet.ours.viewer.get(path)).status_code == 200
    (row,) = await rows(fleet, format)
    found = row["metadata"]
    assert (json.loads(found) if isinstance(found, str) else found) == {"x": 1e20}


@pytest.mark.parametrize("format", ["csv", "xlsx"])
async def test_an_export_can_be_imported_again_unchanged(fleet: Fleet, format: str) -> None:
    first, _ = await fleet.owned_sims(2)
    fleet.sandbox.sims()[0].label = "=1+1"
    await fleet.sync()
    await fleet.device(iccid=first)
    await fleet.ours.operator.patch(f"/sims/{first}", json={"tags": ["@home", 'a;"b"', "ü", "=1;=2"]})
    file = (await export(fleet, format)).content
    report = (await send(fleet, file)).json()
    assert (report["good"], report["bad"], report["updated"], report["labels"]) == (2, 0, 0, 0)
    assert "imsi" in report["ignored_columns"]
    await fleet.ours.operator.patch(f"/sims/{first}", json={"tags": []})
    assert (await send(fleet, file)).json()["updated"] == 1
    assert (await fleet.ours.viewer.get(f"/sims/{first}")).json()["tags"] == ["@home", 'a;"b"', "ü", "=1;=2"]


async def test_the_lists_filters_narrow_an_export(fleet: Fleet) -> None:
    first, second, third = await fleet.owned_sims(3)
    await fleet.ours.operator.patch(f"/sims/{first}", json={"tags": ["a", "b"], "status": "disabled"})
    await fleet.ours.operator.patch(f"/sims/{second}", json={"tags": ["a"]})
    for params, expected in (
        ({"tag": "a"}, [first, second]),
        ({"tag": ["a", "b"]}, [first]),
        ({"lifecycle": "disabling"}, [first]),
        ({"desired_status": "disabled"}, [first]),
        ({"label": fleet.sandbox.sims()[2].label}, [third]),
        ({"search": second}, [second]),
        ({"tag": "none"}, []),
    ):
        assert [row["iccid"] for row in await rows(fleet, "csv", **params)] == expected
        items = (await fleet.ours.viewer.get("/sims", params=params)).json()["items"]
        assert [item["iccid"] for item in items] == expected
    assert (await export(fleet, "jsonl", tag="none")).content == b""


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"format": "pdf"}, "format"),
        ({"status": "x"}, "status"),
        ({"tag": ""}, "tag.0"),
        ({"lifecycle": "x"}, "lifecycle"),
    ],
)
async def test_an_impossible_export_is_refused(fleet: Fleet, params: dict[str, str], field: str) -> None:
    answer = await fleet.ours.viewer.get("/sims/export", params=params)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["field"] == field
    assert (await fleet.anyone.get("/sims/export")).status_code == 401
