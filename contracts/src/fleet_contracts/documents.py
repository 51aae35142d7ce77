"""JSON Schemas and the AsyncAPI document, generated from the models.

`python -m fleet_contracts.documents` writes them into contracts/schemas and contracts/asyncapi.json; a test
fails when they are not what the models say.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from fleet_contracts.events import EVENT_TYPES
from fleet_contracts.telemetry import MAX_READINGS, ReadingIn
from fleet_contracts.topology import EVENTS_EXCHANGE, TELEMETRY_EXCHANGE, telemetry_key

ROOT = Path(__file__).parents[2]


def documents() -> dict[Path, str]:
    """Every generated file, relative to the contracts folder, with its content."""
    schemas = _schemas()
    files = {Path("schemas") / f"{name}.json": _text(schema) for name, schema in schemas.items()}
    return files | {Path("asyncapi.json"): _text(_asyncapi(schemas))}


def _schemas() -> dict[str, Any]:
    events = {name: cls.model_json_schema(mode="serialization") for name, cls in EVENT_TYPES.items()}
    return {"telemetry.reading": TypeAdapter(ReadingIn).json_schema()} | events


def _asyncapi(schemas: dict[str, Any]) -> dict[str, Any]:
    """AsyncAPI 3.0: one channel for telemetry, one for each type of event."""
    reading = schemas["telemetry.reading"]
    payload = {"oneOf": [reading, {"type": "array", "maxItems": MAX_READINGS, "items": reading}]}
    channels = {
        "telemetry": _channel(telemetry_key("{device_id}"), TELEMETRY_EXCHANGE, "telemetry", payload)
        | {"parameters": {"device_id": {"description": "UUID of the device"}}}
    }
    for name, cls in EVENT_TYPES.items():
        channels[name] = _channel(name, EVENTS_EXCHANGE, cls.__name__, schemas[name], cls.__doc__ or "")
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Messages of the fleet", "version": "1.0.0"},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            f"publish.{name}": {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
            for name in channels
        },
    }


def _channel(address: str, exchange: str, message: str, payload: Any, summary: str = "") -> dict[str, Any]:
    return {
        "address": address,
        "messages": {message: {"summary": summary, "payload": payload}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": exchange, "type": "topic", "durable": True},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the files."""
    for path, content in documents().items():
        target = ROOT / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(content)


if __name__ == "__main__":
    main()
