"""The rules about imports in .importlinter find what they are for."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fleet_infra.architecture import describe

ROOT = Path(__file__).parents[2]
LINT = "import sys; from importlinter.cli import lint_imports_command as lint; sys.exit(lint())"
CONTRACTS = ("repositories", "packages-sim", "features-sim-usage")
WITHOUT_FEATURE = {
    "sim_service.carrier",
    "sim_service.carrier.models",
}
WRONG = {
    "usage/totals/service.py": "from sim_service.inventory.sims.repository import SimRepository",
    "inventory/sims/service.py": "from sim_service.usage.totals.service import TotalsService",
    "usage/streamer/service.py": "from sim_service.usage.totals.schemas import TotalsOut",
}


def test_a_wrong_import_is_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sim-service/src", tmp_path, dirs_exist_ok=True)
    for name, line in WRONG.items():
        file = tmp_path / "sim_service" / name
        file.write_text(f"{file.read_text()}\n\n{line}\n")
    command = [sys.executable, "-c", LINT, "--no-cache"]
    command += [part for name in CONTRACTS for part in ("--contract", name)]
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    told = done.stdout
    assert "3 broken" in told
    assert "sim_service.usage.totals.service -> sim_service.inventory.sims.repository" in told
    assert "sim_service.inventory is not allowed to import sim_service.usage" in told
    assert "sim_service.usage.streamer is not allowed to import sim_service.usage.totals" in told


def test_every_feature_has_its_layers_in_a_contract() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    layered = {
        name for section in config.sections() for name in config[section].get("containers", "").split()
    }
    files = [
        path.relative_to(ROOT).parts
        for path in ROOT.glob("*-service/src/**/*.py")
        if path.name in {"api.py", "service.py", "repository.py", "models.py"}
    ]
    features = {".".join(parts[2:-1]) for parts in files} - WITHOUT_FEATURE
    assert features - layered == set()


def test_the_description_names_order_and_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = describe("sim_service")
    assert "top to bottom: main | worker / wiring" in text
    assert "inside usage: " in text
    assert any(line.split()[:2] == ["usage.totals", "->"] for line in text.splitlines())
