"""Which passwords nobody may choose any more, and what else one may type as a password."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import text
from zxcvbn.matching import L33T_TABLE, enumerate_l33t_subs, relevant_l33t_subtable

from fleet_kit.errors import Unprocessable
from signing_service.password_rules import VARIANTS, estimated, refuse_guessable

from .conftest import PASSWORD

pytestmark = pytest.mark.attack


async def registered(client: httpx.AsyncClient, password: str, **more: Any) -> httpx.Response:
    body = {"email": f"{uuid4().hex}@example.com", "password": password} | more
    return await client.post("/auth/register", json=body)


def refused(answer: httpx.Response) -> bool:
    if answer.status_code == 201:
        return False
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "PASSWORD_TOO_WEAK"), answer.text
    assert error["details"]["fields"][0]["field"] == "password"
    return True


@pytest.mark.parametrize(
    "password",
    [
        *("password", "12345678", "Password1", "passw0rd!", "qwertyuiop", "letmein123", "iloveyou"),
        *("aaaaaaaa", "abcdefgh", "11111111", "00000000", "password" * 16, "19901231", "admin123"),
    ],
)
async def test_common_passwords_are_refused(client: httpx.AsyncClient, password: str) -> None:
    assert refused(await registered(client, password))


@pytest.mark.parametrize(
    "password",
    ["Jane.Miller", "jane.miller-2026!", "xx-JaneMiller-99", "pumps-ltd-2026", "PumpsLtd#now", "Pumps Ltd!!"],
)
async def test_names_of_the_user_are_no_passwords(client: httpx.AsyncClient, password: str) -> None:
    email = f"jane.miller@{uuid4().hex}.example.com"
    assert refused(await registered(client, password, email=email, organization_name="Pumps Ltd"))


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "trousers elephant 7 lamp",
        "x9K#mQ2v",
        "jane.miller and seventeen blue lamps",
        "mit Umlauten: äöüß€",
        "🚀🛰️🌍 emoji of space",
        "x" * 20 + uuid4().hex * 3 + "12345678 end",
    ],
)
async def test_other_passwords_are_taken_as_they_are(client: httpx.AsyncClient, password: str) -> None:
    email = f"jane.miller@{uuid4().hex}.example.com"
    assert not refused(await registered(client, password, email=email, organization_name="Io"))
    answer = await client.post("/auth/login", json={"email": email, "password": password})
    assert answer.status_code == 200


async def test_a_password_that_was_common_before_the_rule_still_logs_in(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    email = f"{uuid4().hex}@example.com"
    assert (await registered(client, PASSWORD, email=email)).status_code == 201
    async with app.state.sessions() as session, session.begin():
        statement = text("UPDATE t_users SET password_hash = :hash WHERE email = :email")
        await session.execute(statement, {"hash": PasswordHasher().hash("password"), "email": email})
    answer = await client.post("/auth/login", json={"email": email, "password": "password"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (rb"nul \u0000 inside of it", 422),
        (b"x" * 129, 422),
        (b"x" * 1_000_000, 422),
        (b"x" * 1_100_000, 413),
    ],
    ids=["nul", "129", "1 MB", "over 1 MiB"],
)
@pytest.mark.parametrize("path", ["/auth/register", "/auth/login"])
async def test_odd_passwords_are_refused_and_break_nothing(
    client: httpx.AsyncClient, raw: bytes, status: int, path: str
) -> None:
    email = uuid4().hex.encode() + b"@example.com"
    body = b'{"email": "' + email + b'", "password": "' + raw + b'"}'
    answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "password", ["4@8({[</369&#!1/|0$5+7%2/" * 3, "p4$$w0rd", "1234567890", "@{[<9!|$+" * 8, "correct horse"]
)
def test_the_estimate_tries_few_spellings_of_a_password(password: str) -> None:
    """Of a password of 72 characters it could be 736, which takes 20 s of the one thread for strangers."""
    looked_at = estimated(password)
    spellings = enumerate_l33t_subs(relevant_l33t_subtable(looked_at, L33T_TABLE))
    assert len(list(spellings)) <= 2 * VARIANTS
    assert looked_at == password or len(password) > 20


@pytest.mark.parametrize("password", ["p4$$w0rd", "P@ssw0rd1!", "1234567890"])
def test_other_spellings_of_common_passwords_are_common(password: str) -> None:
    with pytest.raises(Unprocessable):
        refuse_guessable(password, ())
