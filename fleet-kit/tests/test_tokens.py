import asyncio
import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jose import jwt

from fleet_kit.errors import Forbidden, Unauthorized, Unavailable
from fleet_kit.principal import Role
from fleet_kit.testing import AUDIENCE, ISSUER, TokenFactory, eventually
from fleet_kit.token_verifier import ALGORITHM, JwksClient, claims_of

FACTORY = TokenFactory()


async def claims() -> dict[str, Any]:
    principal = await FACTORY.verifier().verify(FACTORY.token())
    return claims_of(principal, issuer=ISSUER, audience=AUDIENCE, issued_at=datetime.now(UTC))


def sign(
    claims: dict[str, Any], *, key: str = FACTORY.pem, kid: str = FACTORY.kid, alg: str = ALGORITHM
) -> str:
    return str(jwt.encode(claims, key, algorithm=alg, headers={"kid": kid}))


async def refused(token: str) -> Unauthorized:
    with pytest.raises(Unauthorized) as caught:
        await FACTORY.verifier().verify(token)
    return caught.value


async def test_a_good_token_names_its_bearer() -> None:
    organization = uuid4()
    principal = await FACTORY.verifier().verify(FACTORY.token(organization, Role.OPERATOR))
    assert (principal.organization_id, principal.role, principal.is_admin) == (
        organization,
        "operator",
        False,
    )
    with pytest.raises(Forbidden):
        principal.require(Role.ADMIN)


@pytest.mark.parametrize(
    "claim", ["aud", "exp", "iat", "iss", "sub", "jti", "sid", "role", "organization_id", "is_admin"]
)
async def test_a_token_that_lacks_a_claim_is_refused(claim: str) -> None:
    incomplete = await claims()
    del incomplete[claim]
    assert (await refused(sign(incomplete))).code == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "change",
    [{"aud": "other"}, {"iss": "other"}, {"role": "owner"}, {"sub": "not-a-uuid"}, {"organization_id": 7}],
)
async def test_a_token_with_a_foreign_claim_is_refused(change: dict[str, Any]) -> None:
    assert (await refused(sign(await claims() | change))).code == "TOKEN_INVALID"


async def test_an_expired_token_is_refused_after_the_leeway_only() -> None:
    now = int(time.time())
    await FACTORY.verifier().verify(sign(await claims() | {"exp": now - 30}))
    assert (await refused(sign(await claims() | {"exp": now - 90}))).code == "TOKEN_EXPIRED"


async def test_a_remembered_token_still_expires() -> None:
    verifier = FACTORY.verifier()
    token = FACTORY.token()
    await verifier.verify(token)
    verifier._seen = type(verifier._seen)(
        (key, _expired(principal)) for key, principal in verifier._seen.items()
    )
    with pytest.raises(Unauthorized):
        await verifier.verify(token)


def _expired(principal: Any) -> Any:
    import dataclasses

    return dataclasses.replace(principal, expires_at=datetime.now(UTC) - timedelta(minutes=5))


async def test_an_hs256_token_forged_with_the_public_key_is_refused() -> None:
    public = load_pem_private_key(FACTORY.pem.encode(), None).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    header = _part({"alg": "HS256", "typ": "JWT", "kid": FACTORY.kid})
    body = _part(await claims())
    import hashlib
    import hmac

    for secret in (der, json.dumps(FACTORY.jwk).encode()):
        signature = hmac.new(secret, f"{header}.{body}".encode(), hashlib.sha256).digest()
        await refused(f"{header}.{body}.{_raw(signature)}")


async def test_an_unsigned_token_is_refused() -> None:
    body = _part(await claims())
    for alg in ("none", "None", "NONE"):
        await refused(f"{_part({'alg': alg, 'kid': FACTORY.kid})}.{body}.")


async def test_a_token_of_another_key_is_refused_under_any_kid() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    await refused(sign(await claims(), key=other.decode()))
    await refused(sign(await claims(), kid="unknown"))


@pytest.mark.parametrize("garbage", ["", "a", "a.b.c", "é.é.é", "..", "\ud800", "x" * 100_000])
async def test_garbage_is_refused(garbage: str) -> None:
    await refused(garbage)


async def test_a_revoked_token_or_session_is_refused() -> None:
    factory = TokenFactory()
    verifier, token = factory.verifier(), factory.token()
    principal = await verifier.verify(token)
    for identifier in (principal.token_id, principal.session_id):
        factory.denylist.revoked = {identifier}
        with pytest.raises(Unauthorized, match="revoked"):
            await verifier.verify(token)


async def test_keys_are_fetched_once_and_again_only_for_an_unknown_kid() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"keys": [FACTORY.jwk]})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        keys = JwksClient(http, "http://signing")
        assert await keys.key(FACTORY.kid) == FACTORY.jwk
        assert await keys.key(FACTORY.kid) == FACTORY.jwk
        assert await keys.key("unknown") is None
    assert asked == ["/api/v1/auth/jwks.json"]


async def test_without_any_key_the_answer_is_503_and_with_an_old_one_it_goes_on() -> None:
    answers = [httpx.Response(500), httpx.Response(200, json={"keys": [FACTORY.jwk]}), httpx.Response(500)]

    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answers.pop(0))) as http:
        keys = JwksClient(http, "http://signing", every_seconds=0, pause_seconds=0, failure_pause_seconds=0)
        with pytest.raises(Unavailable):
            await keys.key(FACTORY.kid)
        assert await keys.key(FACTORY.kid)
        assert await keys.key(FACTORY.kid)

        async def asked_in_the_background() -> bool:
            return not answers

        await eventually(asked_in_the_background)
        assert await keys.key(FACTORY.kid)


async def test_after_a_failure_signing_service_is_left_alone_for_a_while() -> None:
    asked = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        raise httpx.PoolTimeout("no connection")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        keys = JwksClient(http, "http://signing", failure_pause_seconds=3600)
        for _ in range(20):
            with pytest.raises(Unavailable):
                await keys.key(str(uuid4()))
    assert asked == 1


async def test_a_known_key_waits_for_no_answer_and_many_unknown_ones_for_the_same() -> None:
    may_answer, asked = asyncio.Event(), 0
    may_answer.set()

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        await may_answer.wait()
        return httpx.Response(200, json={"keys": [FACTORY.jwk]})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        keys = JwksClient(http, "http://signing", every_seconds=0, pause_seconds=0)
        assert await keys.key(FACTORY.kid)
        may_answer.clear()
        strangers = [asyncio.create_task(keys.key(str(uuid4()))) for _ in range(20)]
        assert await keys.key(FACTORY.kid)
        may_answer.set()
        assert await asyncio.gather(*strangers) == [None] * 20
    assert asked == 2


def _raw(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _part(value: Any) -> str:
    return _raw(json.dumps(value).encode())
