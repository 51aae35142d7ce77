"""Nothing that comes in ends in a 500, on any path of any version."""

import json
import random
from typing import Any

import pytest
from fastapi.routing import APIRoute

from once_sandbox.control.routers import CONTROL_ROUTERS
from once_sandbox.main import CARRIER_ROUTERS

from .support import Client, iccid

ROUTES = sorted(
    (method, route.path)
    for router in (*CARRIER_ROUTERS, *CONTROL_ROUTERS)
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
)
NAMES = [
    *("iccid", "iccids", "label", "status", "imei_lock", "enabled", "payload", "dcs", "udh", "expiry_date"),
    *(
        "source_address_type",
        "products",
        "productId",
        "quantity",
        "delivery_address",
        "dataLimitId",
        "subject",
    ),
    *(
        "subject",
        "text",
        "senderName",
        "target_organisation",
        "iccid_ranges",
        "bytes",
        "at",
        "action",
        "kind",
        "path",
    ),
    *("share", "count", "seconds", "url", "topic", "advance_seconds", "set", "speed", "expires_at"),
]
QUERIES = [
    "",
    "?page=1&pageSize=2",
    "?page=x",
    "?start_dt=0000-00-00",
    "?payment_method=%00",
    "?sort=,,-&q=:",
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1e308,
    2**70,
    float("nan"),
    float("inf"),
    "",
    "\x00",
    "\ud800",
    "Ж" * 300,
    "a" * 3_000,
    iccid(0),
    iccid(0) + "0",
    "Enabled",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59",
    [],
    [None],
    [iccid(0)],
    [{"from": iccid(0), "to": "9"}],
    [{"productId": 1001, "quantity": 2**70}],
    {},
    {"id": 145},
    {"city": "\ud800", "zip": None},
]


def bodies(chance: random.Random) -> list[bytes]:
    """Malformed and merely wrong bodies."""
    raw = [b"", b"{", b"\xff\xfe", b"[" * 20_000, b"null", b'"x"', b"[[]]"]
    wrong = [
        json.dumps({name: chance.choice(VALUES) for name in chance.sample(NAMES, 12)}) for _ in range(12)
    ]
    wrong += [json.dumps([chance.choice(VALUES)]) for _ in range(6)]
    return raw + [text.encode() for text in wrong]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_no_input_is_a_server_error(client: Client, method: str, path: str) -> None:
    chance = random.Random(path)
    for body in bodies(chance):
        value = chance.choice([iccid(0), "0", "-1", "x", "9" * 30, "%00", "%F0%9F", "data", "1"])
        target = "/".join(value if part.startswith("{") else part for part in path.split("/"))
        query = chance.choice(QUERIES)
        headers = {"Content-Type": "application/json"}
        answer = await client.request(method, f"{target}{query}", content=body, headers=headers)
        assert answer.status_code < 500, (target, query, body, answer.text)
        if answer.status_code >= 400 and path != "/oauth/token":
            assert answer.json()
        await client.control("DELETE", "/faults")
        if path.startswith("/control"):
            await client.control("PUT", "/behaviours/profile/spec")
            await client.behave(rate_limit_enabled=False)
            await client.log_in()


async def test_half_a_surrogate_pair_is_refused_where_it_would_be_kept(client: Client) -> None:
    headers = {"Content-Type": "application/json"}
    half = "\\ud800"
    for method, path, body in (
        ("PUT", f"/v2/sims/{iccid(0)}", f'{{"label":"{half}"}}'),
        ("POST", f"/v2/sims/{iccid(0)}/sms", f'{{"payload":"{half}","dcs":8}}'),
        ("POST", "/v1/support", f'{{"subject":"{half}","text":"{half}"}}'),
    ):
        answer = await client.request(method, path, content=body, headers=headers)
        assert answer.status_code == 400, (path, answer.text)
