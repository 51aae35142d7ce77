"""Which class an event on the wire is: reading and writing message bodies."""

from pydantic import JsonValue, TypeAdapter

from fleet_contracts.events import alert, device, organization, sim, telemetry, token, user
from fleet_contracts.events.envelope import FleetEvent

_AGGREGATES = (alert, device, organization, sim, telemetry, token, user)

EVENT_TYPES: dict[str, type[FleetEvent]] = {
    cls.model_fields["type"].default: cls
    for module in _AGGREGATES
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, FleetEvent) and cls.__module__ == module.__name__
}
"""Event class by its `type`."""


class UnknownEventType(ValueError):
    """The event's type is not one of EVENT_TYPES."""


_TYPE_ONLY = TypeAdapter(dict[str, JsonValue])


def parse_event(body: bytes) -> FleetEvent:
    """The typed event in a message body; raises UnknownEventType or pydantic's ValidationError."""
    raw = _TYPE_ONLY.validate_json(body)
    cls = EVENT_TYPES.get(str(raw.get("type")))
    if cls is None:
        raise UnknownEventType(f"unknown event type {str(raw.get('type'))[:80]!r}")
    return cls.model_validate_json(body)


def encode_event(event: FleetEvent) -> bytes:
    """The event as a message body: CloudEvents JSON."""
    return event.model_dump_json().encode()
