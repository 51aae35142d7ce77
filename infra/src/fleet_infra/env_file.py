"""Which names `.env` may hold: settings of the fleet, and of its services."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

from fleet_infra.service_settings import SERVICE_SETTINGS

OF_SERVICES = frozenset().union(*SERVICE_SETTINGS.values())


def read(env_file: Path) -> dict[str, str]:
    """Names in capitals with their values; those without a value are as if not there."""
    found = dotenv_values(env_file, encoding="utf-8")
    return {name.upper(): value for name, value in found.items() if value}


def unknown(env_file: Path, of_fleet: Collection[str]) -> list[str]:
    """A sentence for each name that nobody reads, with the one that was probably meant."""
    known = {*of_fleet, *OF_SERVICES}
    return [_sentence(name, known) for name in dotenv_values(env_file) if name.upper() not in known]


def of_service(service: str, values: Mapping[str, str]) -> dict[str, str]:
    """Those of the values that are settings of the service."""
    return {name: value for name, value in values.items() if name in SERVICE_SETTINGS[service]}


def _sentence(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name.upper(), sorted(known), n=1)
    advice = f"did you mean {near[0]}?" if near else "those of the fleet are in .env.example."
    return f"{name} in .env is no setting; {advice}"
