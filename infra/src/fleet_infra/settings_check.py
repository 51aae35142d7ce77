"""Whether services can run with their settings, before programs that run are replaced."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fleet_infra.env_file import OF_SERVICES
from fleet_infra.settings import SettingsRefused, refusal

_READ = """
import json, sys
from importlib import import_module
from pydantic import ValidationError
try:
    import_module(sys.argv[1] + ".settings").settings()
except ValidationError as error:
    print(json.dumps(error.errors(include_input=False, include_url=False, include_context=False)))
"""
"""In a process of its own, as the service itself reads them."""


def refuse_impossible(environments: Mapping[str, Mapping[str, str]]) -> None:
    """Raise SettingsRefused with a sentence for each impossible setting; environments by service."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(_sentences, environments, environments.values())
        if sentences := list(dict.fromkeys(sentence for of_one in found for sentence in of_one)):
            raise SettingsRefused("\n".join(sentences))


def _sentences(name: str, environment: Mapping[str, str]) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-c", _READ, f"{name}_service"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        return [f"{name}-service cannot read its settings:\n{result.stderr[-3000:]}"]
    return [_refusal(entry, environment) for entry in json.loads(result.stdout or "[]")]


def _refusal(entry: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """What the fleet itself gives a service holds passwords, and is not shown."""
    name = str(entry["loc"][0]).upper() if entry["loc"] else ""
    return refusal(entry, environment.get(name) if name in OF_SERVICES else None)
