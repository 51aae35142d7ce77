import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from fleet_contracts.documents import ROOT, documents
from fleet_contracts.events import EVENT_TYPES, UnknownEventType, encode_event, parse_event

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_a_golden_sample_of_every_event_still_parses_and_travels_unchanged(event_type: str) -> None:
    sample = (GOLDEN / f"{event_type}.json").read_bytes()
    event = parse_event(sample)
    assert type(event) is EVENT_TYPES[event_type]
    assert json.loads(encode_event(event)) == json.loads(sample)


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_a_reader_ignores_fields_that_a_later_version_adds(event_type: str) -> None:
    sample = json.loads((GOLDEN / f"{event_type}.json").read_bytes())
    sample["later"] = 1
    sample["data"]["later"] = {"deep": True}
    assert parse_event(json.dumps(sample).encode()).type == event_type


def test_presence_as_it_was_before_it_had_a_watermark_is_understood() -> None:
    sample = json.loads((GOLDEN / "telemetry.presence.json").read_bytes())
    del sample["data"]["watermark"]
    event = parse_event(json.dumps(sample).encode())
    assert (event.data.watermark, len(event.data.devices)) == (None, 1)


def test_an_unknown_type_is_told_apart_from_a_broken_event() -> None:
    with pytest.raises(UnknownEventType):
        parse_event(b'{"type": "device.teleported"}')
    for body in (b"{", b"[]", b'{"type": "device.deleted"}'):
        with pytest.raises((ValidationError, UnknownEventType)):
            parse_event(body)


def test_the_generated_documents_are_what_the_models_say() -> None:
    for path, content in documents().items():
        assert (ROOT / path).read_text() == content, f"run `python -m fleet_contracts.documents`: {path}"
