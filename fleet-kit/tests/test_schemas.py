"""What every body and parameter refuses."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError

from fleet_kit.schemas import LineText, QueryModel, StrictModel, Timestamp, in_utc


class Inner(StrictModel):
    free: Any


class Body(StrictModel):
    password: SecretStr
    inner: Inner | None = None
    free: dict[str, Any] | list[Any] | None = None


class Moment(BaseModel):
    at: Timestamp


def deep(value: Any) -> Any:
    for _ in range(5000):
        value = [value]
    return value


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "a\x00b"])
@pytest.mark.parametrize("where", ["password", "inner", "key", "deep"])
def test_text_that_cannot_be_stored_is_refused_wherever_it_stands(text: str, where: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "password": {"password": text},
        "inner": {"inner": {"free": [text]}},
        "key": {"free": {text: 1}},
        "deep": {"free": deep(text)},
    }
    body = {"password": "good"} | changes[where]
    with pytest.raises(ValidationError):
        Body.model_validate(body)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_moments_that_utc_does_not_have_are_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="out of range"):
        Moment.model_validate({"at": text})
    with pytest.raises(ValueError, match="out of range"):
        in_utc(datetime.fromisoformat(text))


def test_moments_are_in_utc_afterwards() -> None:
    east = datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=14)))
    assert in_utc(east).isoformat() == "2026-01-01T00:00:00+00:00"
    with pytest.raises(ValueError, match="offset"):
        in_utc(east.replace(tzinfo=None))


@pytest.mark.parametrize("name", ["Zähler 7", "میخواهم", "👩‍🔧 pump", "a b", ""])
def test_names_are_taken_in_every_language(name: str) -> None:
    assert TypeAdapter(LineText).validate_python(name) == name


@pytest.mark.parametrize(
    "character",
    ["\x00", "\n", "\x7f", "\x85", "\u2028", "\u200b", "\u202e", "\u2066", "\ufeff", "\uffff", "\ufdd0"],
)
def test_names_hold_nothing_that_is_not_seen_and_nothing_that_turns_them(character: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(LineText).validate_python(f"a{character}b")


class Line(StrictModel):
    quantity: Annotated[int, Field(ge=1)]


class Order(StrictModel):
    lines: list[Line] = Field(default_factory=list)
    quantity: int | None = None
    type: str | None = None
    metadata: int | None = None
    share: float = 0
    urgent: bool = False
    id: UUID | None = None
    at: Timestamp | None = None
    budget: Decimal | None = None


@pytest.mark.parametrize(
    "body",
    [
        *({"quantity": wrong} for wrong in (True, "1", 1.5)),
        *({"lines": [{"quantity": wrong}]} for wrong in (True, "1")),
        *({"urgent": wrong} for wrong in (1, "true")),
        {"share": "1"},
        {"metadata": "1"},
        {"budget": True},
    ],
)
def test_bodies_take_numbers_and_booleans_as_json_writes_them(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate(body)


def test_what_json_has_no_type_for_is_text() -> None:
    body = {"id": str(uuid4()), "at": "2026-01-01T00:00:00Z", "budget": "1.50", "share": 1, "urgent": True}
    taken = Order.model_validate(body)
    assert (str(taken.id), taken.budget, taken.share) == (body["id"], Decimal("1.50"), 1.0)


def test_query_parameters_are_text_and_are_read_as_what_they_are() -> None:
    class Wanted(QueryModel):
        number: int
        linked: bool

    assert Wanted.model_validate({"number": "7", "linked": "true"}) == Wanted(number=7, linked=True)
