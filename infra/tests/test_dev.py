"""A service from its sources, with small programs in place of the fleet's."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fleet_infra import supervisor_config
from fleet_infra.dev import dev
from fleet_infra.errors import CannotStart
from fleet_infra.layout import Layout
from fleet_infra.servers import Process
from fleet_infra.supervisor import Supervisor

from .test_supervisor import poll

PROGRAM = """import os, pathlib, time
pathlib.Path({file!r}).write_text('{word} ' + os.environ['WORD'])
time.sleep(600)
"""
"""Says that it runs, with which sources and with whose settings."""


@pytest.fixture
def clone(layout: Layout) -> Layout:
    """A clone whose sim-service is an API and a worker of one line each, as its supervisor runs them."""
    clone = Layout(layout.home.parent, layout.home)
    for name in ("contracts/src", "fleet-kit/src", "sim-service/src/sim_service"):
        (clone.root / name).mkdir(parents=True)
    write(clone, "first")
    environment = {"WORD": "of the fleet", "PYTHONPATH": str(clone.root / "sim-service/src")}
    programs = [
        Process(name, (sys.executable, "-m", module), clone.home, environment)
        for name, module in (("sim-service", "sim_service"), ("sim-worker", "sim_service.worker"))
    ]
    supervisor_config.write_configuration(clone, {"services": programs, "simulator": []})
    supervisor = Supervisor(clone)
    supervisor.start()
    supervisor.start_group("services")
    poll(lambda: said(clone, "api") == said(clone, "worker") == "first of the fleet")
    return clone


def write(clone: Layout, word: str) -> None:
    package = clone.root / "sim-service/src/sim_service"
    (package / "__init__.py").touch()
    for module, name in (("__main__", "api"), ("worker", "worker")):
        (package / f"{module}.py").write_text(PROGRAM.format(file=str(clone.root / name), word=word))


def said(clone: Layout, name: str) -> str:
    file = clone.root / name
    return file.read_text() if file.exists() else ""


def forget(clone: Layout) -> None:
    for name in ("api", "worker"):
        (clone.root / name).unlink(missing_ok=True)


def parents(clone: Layout) -> set[int]:
    pids = [int((clone.pids / f"{name}.pid").read_text()) for name in ("sim-service", "sim-worker")]
    return {psutil.Process(pid).ppid() for pid in pids}


@pytest.fixture
def developing(clone: Layout) -> Iterator[Callable[[], None]]:
    """sim-service runs from its sources; the fixture's value ends that."""
    stop = threading.Event()
    thread = threading.Thread(target=dev, args=(clone, "sim-service", stop))
    forget(clone)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join()

    yield end
    end()


def test_a_service_runs_with_the_fleets_settings_and_again_after_a_change_and_goes_back(
    clone: Layout, developing: Callable[[], None]
) -> None:
    poll(lambda: said(clone, "api") == said(clone, "worker") == "first of the fleet")
    assert parents(clone) == {os.getpid()}

    write(clone, "second")
    poll(lambda: said(clone, "api") == said(clone, "worker") == "second of the fleet")

    forget(clone)
    developing()
    poll(lambda: said(clone, "api") == said(clone, "worker") == "second of the fleet")
    assert parents(clone) == {int(clone.supervisor_pid.read_text())}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_whatever_ends_it_the_service_goes_back_to_the_fleet(clone: Layout, number: signal.Signals) -> None:
    code = "import sys; from pathlib import Path as P; from fleet_infra.dev import dev, Layout; "
    code += "dev(Layout(P(sys.argv[1]), P(sys.argv[2])), 'sim-service')"
    forget(clone)
    developing = subprocess.Popen([sys.executable, "-c", code, str(clone.root), str(clone.home)])
    poll(lambda: said(clone, "api") == said(clone, "worker") == "first of the fleet")
    assert parents(clone) == {developing.pid}
    forget(clone)
    developing.send_signal(number)
    assert developing.wait(60) == 0
    poll(lambda: said(clone, "api") == said(clone, "worker") == "first of the fleet")
    assert parents(clone) == {int(clone.supervisor_pid.read_text())}


@pytest.mark.parametrize("service", ["", "sim-worker", "gateway"])
def test_only_a_service_can_run_from_its_sources(layout: Layout, service: str) -> None:
    with pytest.raises(CannotStart, match=r"one of signing-service, .*sim-service"):
        dev(layout, service)


def test_without_a_fleet_nothing_is_started(layout: Layout) -> None:
    with pytest.raises(CannotStart, match="start it with `make up MODE=native`"):
        dev(layout, "sim-service")


def test_the_folders_that_are_watched_are_there() -> None:
    from fleet_infra.dev import SERVICES, sources

    root = Path(Layout.of_clone().root)
    assert all(folder.is_dir() for service in SERVICES for folder in sources(root, service))
