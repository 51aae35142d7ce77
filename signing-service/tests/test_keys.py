from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from fleet_kit.testing import TokenFactory
from signing_service.base import Base
from signing_service.keys import KeyRing, KeyUnusable, thumbprint
from signing_service.settings import SigningSettings


def write(file: Path, key: Any) -> Path:
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


async def test_the_public_keys_verify_what_login_issued(
    register: Callable[..., Any], client: httpx.AsyncClient
) -> None:
    from jose import jwt

    account = await register()
    token = account.tokens["access_token"]
    keys = (await client.get("/auth/jwks.json")).json()["keys"]
    key = next(key for key in keys if key["kid"] == jwt.get_unverified_header(token)["kid"])
    assert "d" not in key
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="fleet", issuer="fleet-signing")
    assert claims["sub"] == account.user["id"]
    assert key["kid"] == thumbprint({name: key[name] for name in ("crv", "kty", "x", "y")})


async def test_tokens_of_another_issuer_of_keys_are_refused(client: httpx.AsyncClient) -> None:
    foreign = TokenFactory().headers()
    assert (await client.get("/auth/me", headers=foreign)).status_code == 401


async def test_earlier_keys_still_verify(tmp_path: Path) -> None:
    old = write(tmp_path / "old.pem", ec.generate_private_key(ec.SECP256R1()))
    new = write(tmp_path / "new.pem", ec.generate_private_key(ec.SECP256R1()))
    before, after = KeyRing(old), KeyRing(new, [old])
    assert await after.key(before.kid)
    assert after.kid != before.kid
    assert len(after.jwks()["keys"]) == 2


def test_a_file_without_a_proper_key_is_refused_by_name(tmp_path: Path) -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    public = tmp_path / "public.pem"
    public.write_bytes(
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    broken = tmp_path / "broken.pem"
    broken.write_text("changeme")
    files = [
        tmp_path / "missing.pem",
        broken,
        public,
        write(tmp_path / "rsa.pem", rsa_key),
        write(tmp_path / "p384.pem", ec.generate_private_key(ec.SECP384R1())),
    ]
    for file in files:
        with pytest.raises(KeyUnusable, match=file.name):
            KeyRing(file)


def test_placeholder_secrets_are_refused(settings: SigningSettings) -> None:
    values = settings.model_dump() | {"platform_admin_password": "changeme"}
    with pytest.raises(ValueError, match="placeholder"):
        SigningSettings.model_validate(values)


async def test_migrations_produce_exactly_what_the_models_say(settings: SigningSettings) -> None:
    engine = create_async_engine(settings.database_url.get_secret_value())

    def compare(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(compare) == []
    await engine.dispose()
