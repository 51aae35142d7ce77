"""Tokens that somebody else made: each has to be refused by the API that holds the real key."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from fastapi import FastAPI
from jose import jwk, jwt

from fleet_kit.testing import TokenFactory

Claims = dict[str, Any]


@pytest.fixture
async def claims(register: Callable[..., Any]) -> Claims:
    """What a token of a real administrator says."""
    account = await register()
    return dict(jwt.get_unverified_claims(account.tokens["access_token"]))


async def accepted(client: httpx.AsyncClient, token: str) -> bool:
    """Both doors have to agree."""
    answer = await client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    valid = (await client.post("/users/verify-token", json={"token": token})).json()["valid"]
    assert valid == (answer.status_code == 200)
    assert answer.status_code in {200, 401}
    return bool(valid)


async def test_the_same_claims_signed_by_the_real_key_are_accepted(
    client: httpx.AsyncClient, app: FastAPI, claims: Claims
) -> None:
    assert await accepted(client, app.state.keys.sign(claims))


def encoded(part: Any) -> bytes:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=")


@pytest.mark.parametrize("form", ["PEM", "DER", "JWK"])
async def test_hs256_with_the_public_key_as_secret_is_refused(
    client: httpx.AsyncClient, app: FastAPI, claims: Claims, form: str
) -> None:
    key = (await client.get("/auth/jwks.json")).json()["keys"][0]
    public = serialization.load_pem_public_key(jwk.construct(key, "ES256").to_pem())
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    secret = {
        "PEM": public.public_bytes(serialization.Encoding.PEM, info),
        "DER": public.public_bytes(serialization.Encoding.DER, info),
        "JWK": json.dumps(key).encode(),
    }[form]
    signed = encoded({"alg": "HS256", "typ": "JWT", "kid": key["kid"]}) + b"." + encoded(claims)
    signature = hmac.new(secret, signed, hashlib.sha256).digest()
    assert not await accepted(client, (signed + b"." + encoded(signature)).decode())


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
@pytest.mark.parametrize("signature", [b"", b"x"])
async def test_an_unsigned_token_is_refused(
    client: httpx.AsyncClient, app: FastAPI, claims: Claims, algorithm: str, signature: bytes
) -> None:
    header = {"alg": algorithm, "typ": "JWT", "kid": app.state.keys.kid}
    token = b".".join((encoded(header), encoded(claims), signature))
    assert not await accepted(client, token.decode())


@pytest.mark.parametrize(
    "claim", ["aud", "exp", "iat", "iss", "sub", "jti", "sid", "organization_id", "role"]
)
async def test_a_token_that_lacks_a_claim_is_refused(
    client: httpx.AsyncClient, app: FastAPI, claims: Claims, claim: str
) -> None:
    del claims[claim]
    assert not await accepted(client, app.state.keys.sign(claims))


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "somebody-else"},
        {"iss": "somebody-else"},
        {"sub": "root"},
        {"role": "owner"},
        {"exp": "tomorrow"},
        {"exp": int((datetime.now(UTC) - timedelta(hours=1)).timestamp())},
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(
    client: httpx.AsyncClient, app: FastAPI, claims: Claims, change: Claims
) -> None:
    assert not await accepted(client, app.state.keys.sign(claims | change))


async def test_another_key_is_refused_under_any_kid(
    client: httpx.AsyncClient, app: FastAPI, claims: Claims
) -> None:
    other = TokenFactory()
    for kid in (app.state.keys.kid, other.kid, "", "../key.pem", 7, None):
        token = jwt.encode(claims, other.pem, algorithm="ES256", headers={"kid": kid, "jwk": other.jwk})
        assert not await accepted(client, token)


async def test_a_changed_claim_breaks_the_signature(
    client: httpx.AsyncClient, app: FastAPI, claims: Claims
) -> None:
    header, _, signature = app.state.keys.sign(claims).split(".")
    changed = encoded(claims | {"organization_id": str(uuid4()), "is_admin": True}).decode()
    assert not await accepted(client, f"{header}.{changed}.{signature}")


async def test_a_user_who_is_gone_has_no_me(client: httpx.AsyncClient, app: FastAPI, claims: Claims) -> None:
    token = app.state.keys.sign(claims | {"sub": str(uuid4())})
    answer = await client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "TOKEN_INVALID")
