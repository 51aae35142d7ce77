"""Who gets a token."""

import base64
import binascii
import json
import secrets

from once_sandbox.errors import ApiError
from once_sandbox.sandbox import Sandbox
from once_sandbox.wire import Json


def grant(sandbox: Sandbox, *, content_type: str, authorization: str, body: bytes) -> Json:
    """The answer of the token endpoint; raises ApiError 400 for every kind of bad request."""
    name, password = _credentials(authorization)
    _check_body(content_type, body)
    settings = sandbox.settings
    if not secrets.compare_digest(name.encode(), settings.client_id.encode()):
        raise ApiError(400, "User does not exist.", code="BadCredentials")
    if not secrets.compare_digest(password.encode(), settings.client_secret.get_secret_value().encode()):
        raise ApiError(400, "Incorrect username or password.", code="BadCredentials")
    lifetime = sandbox.world.behaviours.token_seconds
    return {
        "status_code": 200,
        "access_token": sandbox.tokens.issue(lifetime),
        "token_type": "bearer",
        "expires_in": lifetime,
        "userId": "user",
        "scope": "all",
    }


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        decoded = (
            base64.b64decode(encoded.strip(), validate=True).decode() if scheme.lower() == "basic" else ""
        )
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    name, _, password = decoded.partition(":")
    for missing, value in (("username", name), ("password", password)):
        if not value:
            message = f"Auth header validation error: Missing attributes '{missing}'"
            raise ApiError(400, message, code="AuthValidationError")
    return name, password


def _check_body(content_type: str, body: bytes) -> None:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise ApiError(400, "Content-Type not supported", code="UnsupportedContentTypeError")
    try:
        wanted = json.loads(body)
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, dict) or "grant_type" not in wanted:
        message = "Request body validation error: Missing attributes 'grant_type'"
        raise ApiError(400, message, code="BodyValidationError")
    if wanted["grant_type"] != "client_credentials":
        raise ApiError(
            400, "Request body validation error: 'grant_type' not supported", code="BodyValidationError"
        )
