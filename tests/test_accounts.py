"""Which system user each program of a fleet runs as that root has started."""

import os
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from fleet_infra.servers.accounts import ACCOUNT, can_read, python_account, web_account

from .attack.memory import pids

OURS = {"nginx"}
"""Its first process opens the logs and the port; its workers answer."""
SECRET_FILES = {"redis.conf", "definitions.json", "signing-key.pem"}
PYTHON = {"mongo", "once-sandbox"}


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root starts programs as himself")
def test_programs_run_as_users_that_can_do_nothing_else(fleet: dict[str, Any]) -> None:
    programs = {name: psutil.Process(pid) for name, pid in pids(fleet).items()}
    users = {name: program.username() for name, program in programs.items()}

    for name, user in users.items():
        python = name in PYTHON or name.endswith(("-service", "-worker"))
        if name not in OURS and not (python and python_account() is None):
            assert user == ("postgres" if name == "postgres" else ACCOUNT), name
    workers = programs["nginx"].children()
    assert workers
    assert {worker.username() for worker in workers} == {web_account()} != {ACCOUNT}
    assert {"postgres", "redis", "rabbitmq", "epmd", "mongo", "signing-service"} <= set(users)


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root starts programs as himself")
def test_who_takes_a_worker_of_the_gateway_reads_no_secret_of_another_program(fleet: dict[str, Any]) -> None:
    home = Path(fleet["logs"]).parent
    files = {name: Path(f"/proc/{pid}/environ") for name, pid in pids(fleet).items()}
    files |= {str(path): path for path in home.glob("*/*") if path.name in SECRET_FILES}
    assert {Path(name).name for name in files} >= SECRET_FILES - {"signing-key.pem"}

    worker = psutil.Process(pids(fleet)["nginx"]).children()[0].username()
    assert [name for name, file in files.items() if can_read(worker, [file.resolve()])] == []


@pytest.mark.parametrize("path", ["/", "/app.js", "/docs/", "/docs/assets/swagger-ui.css"])
def test_the_gateways_workers_can_read_its_pages(fleet: dict[str, Any], path: str) -> None:
    assert httpx.get(f"{fleet['gateway_url']}{path}", timeout=60).status_code == 200


def test_the_gateways_workers_can_put_a_large_body_aside(fleet: dict[str, Any]) -> None:
    body = b"[" + b" " * 900_000 + b"]"
    answer = httpx.post(f"{fleet['gateway_url']}/api/v1/auth/login", content=body, timeout=60)
    assert answer.status_code == 422
