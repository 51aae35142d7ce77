"""One id follows a request: the same in the header, in the body of an error and in both logs."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from fleet_kit.testing import eventually

SERVICE = Path(__file__).with_name("kit_service.py")
ACCEPTED = ["a", "x" * 64, "x" * 65, "x" * 128, "A.b_c-9", "-", "._"]
REPLACED = ["x" * 129, "a b", 'quote"and{brace}', "a,b", "a;b", "ü", "a/b", "%0a", ""]


@pytest.fixture
def service_log(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


@pytest.fixture
def failing(
    service_log: Path,
    free_port: Callable[[], int],
    make_gateway: Callable[[dict[str, str]], AbstractContextManager[httpx.Client]],
) -> Iterator[httpx.Client]:
    """A client of a gateway in front of a service made of fleet-kit."""
    port = free_port()
    with service_log.open("wb") as log:
        process = subprocess.Popen([sys.executable, str(SERVICE), str(port)], stderr=log)
    try:
        wait_for(port, process)
        names = ("signing", "device", "sim", "monitoring")
        with make_gateway(dict.fromkeys(names, f"127.0.0.1:{port}")) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail("the service did not start")


def logged(file: Path) -> set[str]:
    lines = [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")]
    return {line["request_id"] for line in lines if "request_id" in line}


async def test_an_id_is_accepted_or_replaced_everywhere_alike(
    failing: httpx.Client, service_log: Path, tmp_path: Path
) -> None:
    seen = set()
    for sent in [*ACCEPTED, *REPLACED]:
        headers = {b"X-Request-ID": sent.encode()}
        answer = await asyncio.to_thread(failing.get, "/api/v1/devices/failing", headers=headers)
        (shown,) = answer.headers.get_list("x-request-id")
        assert (answer.status_code, answer.json()["error"]["request_id"]) == (500, shown), sent
        assert (shown == sent) == (sent in ACCEPTED), sent
        assert len(shown) == 32 or sent in ACCEPTED
        seen.add(shown)

    async def in_both_logs() -> bool:
        return seen <= logged(service_log) and seen <= logged(tmp_path / "access.log")

    await eventually(in_both_logs)
