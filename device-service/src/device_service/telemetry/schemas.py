from typing import Any

from fleet_contracts.telemetry import MAX_READINGS, ReadingIn
from fleet_kit.schemas import ResponseModel


class AcceptedOut(ResponseModel):
    """The broker has confirmed these readings; `ids` in the order in which they came."""

    accepted: int
    ids: list[str]


def request_body() -> dict[str, Any]:
    """The OpenAPI description of the body, which is read as bytes."""
    reading = ReadingIn.model_json_schema()
    array = {"type": "array", "items": reading, "minItems": 1, "maxItems": MAX_READINGS}
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"oneOf": [reading, array]}}},
        }
    }
