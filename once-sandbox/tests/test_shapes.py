"""Every answer has the shape that 1NCE's clients rely on."""

import pytest

from . import shapes
from .scenario import EXPIRED, A, live, looks
from .schema import check
from .support import Client, iccid


async def test_every_answer_has_its_shape(client: Client) -> None:
    await live(client)
    for look in looks():
        answer = await client.get(look.path)
        assert answer.status_code == 200, look.path
        assert answer.headers["content-type"].startswith("application/json")
        check(answer.json(), look.shape)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/sims/1", 404),
        ("GET", "/v1/sims?page=0", 400),
        ("GET", "/v1/orders/1", 404),
        ("PUT", f"/v1/sims/{A}", 400),
        ("POST", f"/v1/sims/{EXPIRED}/reset", 422),
        ("GET", f"/v1/sims/{A}/quota/voice", 400),
    ],
)
async def test_refusals_of_v1(client: Client, method: str, path: str, status: int) -> None:
    await client.control("PATCH", f"/sims/{EXPIRED}", {"expires_in_seconds": -1})
    answer = await client.request(method, path)
    assert answer.status_code == status
    check(answer.json(), shapes.ERROR_V1)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/sims/1", 404),
        ("GET", "/v2/sims?page=0", 400),
        ("PUT", f"/v2/sims/{iccid(0)}", 400),
        ("POST", f"/v2/sims/{iccid(0)}/sms", 400),
        ("GET", f"/v2/sims/{iccid(0)}/sms/1", 404),
        ("GET", f"/v2/sims/{iccid(0)}/sms?per_page=1001", 400),
    ],
)
async def test_refusals_of_v2(client: Client, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    check(answer.json(), shapes.ERROR_V2)


async def test_the_recorded_profile_uses_other_dates(client: Client) -> None:
    await live(client)
    await client.behave(dates="recorded")
    quota = (await client.get(f"/v1/sims/{A}/quota/data")).json()
    assert len(quota["expiry_date"]) == len("2026-11-21")
    assert len(quota["last_status_change_date"]) == len("2026-11-21 10:00:00")
    assert len((await client.get(f"/v1/sims/{A}/usage")).json()["stats"][0]["date"]) == len("2026-11-21")
    assert isinstance((await client.get("/v1/sims/smsMT/limits")).json(), list)
