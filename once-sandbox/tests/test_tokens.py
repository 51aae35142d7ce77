"""The token endpoint."""

import httpx
import pytest

from .support import Client, make_client

BODY = {"grant_type": "client_credentials"}


async def test_good_credentials_get_an_opaque_token_of_an_hour(client: Client) -> None:
    answer = await client.post("/oauth/token", auth=("sandbox", "sandbox"), json=BODY)
    token = answer.json()
    assert answer.status_code == 200
    assert token["status_code"] == 200
    assert (token["token_type"], token["expires_in"], token["userId"], token["scope"]) == (
        "bearer",
        3600,
        "user",
        "all",
    )
    assert 2_500 < len(token["access_token"]) < 3_500


@pytest.mark.parametrize(
    ("request_arguments", "code"),
    [
        ({"auth": ("nobody", "sandbox"), "json": BODY}, "BadCredentials"),
        ({"auth": ("sandbox", "wrong"), "json": BODY}, "BadCredentials"),
        ({"json": BODY}, "AuthValidationError"),
        ({"auth": ("sandbox", ""), "json": BODY}, "AuthValidationError"),
        ({"headers": {"Authorization": "Basic %%%"}, "json": BODY}, "AuthValidationError"),
        ({"auth": ("sandbox", "sandbox"), "json": {}}, "BodyValidationError"),
        ({"auth": ("sandbox", "sandbox"), "json": {"grant_type": "password"}}, "BodyValidationError"),
        ({"auth": ("sandbox", "sandbox"), "data": BODY}, "UnsupportedContentTypeError"),
    ],
)
async def test_bad_credentials_are_400_with_a_code(
    client: Client, request_arguments: dict[str, object], code: str
) -> None:
    del client.headers["Authorization"]
    answer = await client.post("/oauth/token", **request_arguments)  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert answer.json()["statusCode"] == 400
    assert answer.json()["errorCode"] == code
    assert answer.json()["message"]


async def test_a_bad_token_is_401_in_the_shape_of_its_version(client: Client) -> None:
    client.headers["Authorization"] = "Bearer nonsense"
    first, second = await client.get("/v1/sims"), await client.get("/v2/sims")
    assert (first.status_code, second.status_code) == (401, 401)
    assert set(first.json()) == {"timestamp", "status", "error", "message", "path"}
    assert set(second.json()) == {"error_code", "error_token", "message"}


async def test_expired_tokens_are_refused_until_the_next_one(client: Client) -> None:
    await client.control("POST", "/tokens/expire")
    assert (await client.get("/v2/sims")).status_code == 401
    await client.log_in()
    assert (await client.get("/v2/sims")).status_code == 200


async def test_credentials_come_from_the_settings() -> None:
    with pytest.raises(KeyError):
        async with make_client(client_id="me", client_secret="secret"):
            pass
    async with make_client() as client:
        client.sandbox_app.sandbox.settings.client_id = "me"
        answer = await client.post("/oauth/token", auth=httpx.BasicAuth("me", "sandbox"), json=BODY)
        assert answer.status_code == 200
