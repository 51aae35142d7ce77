"""Builders and questions that several test modules share."""

import itertools
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import text

_numbers = itertools.count(1)


def make_iccid() -> str:
    """A new ICCID of 19 digits."""
    return f"89882280666{next(_numbers):08d}"


def with_check_digit(iccid: str) -> str:
    """The 20 digits that a modem reports."""
    doubled = (int(digit) * (2 - position % 2) for position, digit in enumerate(reversed(iccid)))
    return f"{iccid}{-sum(number // 10 + number % 10 for number in doubled) % 10}"


async def outbox_of(app: FastAPI, subject: str) -> list[dict[str, Any]]:
    """The events of an aggregate, oldest first."""
    statement = text("SELECT CAST(body AS jsonb) AS body FROM t_outbox WHERE aggregate = :id ORDER BY id")
    async with app.state.sessions() as session:
        return [row.body for row in await session.execute(statement, {"id": subject})]


async def outbox_types(app: FastAPI, subject: str) -> list[str]:
    """The types of an aggregate's events, oldest first."""
    return [event["type"] for event in await outbox_of(app, subject)]


def device_key(made: dict[str, Any]) -> dict[str, str]:
    """Headers by which a device says who it is."""
    return {"Authorization": f"Device {made['id']}:{made['key']}"}


def path_of(device: dict[str, Any] | UUID | str, below: str = "") -> str:
    """Path of a device, or of something below it."""
    device_id = device["id"] if isinstance(device, dict) else device
    return f"/api/v1/devices/{device_id}{below}"
