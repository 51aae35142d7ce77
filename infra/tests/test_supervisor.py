import json
import os
import signal
import sys
import time
from collections.abc import Callable

import psutil

from fleet_infra import supervisor_config, teardown
from fleet_infra.layout import Layout
from fleet_infra.servers import Process
from fleet_infra.supervisor import Supervisor

SLEEPER = (sys.executable, "-c", "import os, time; print(os.environ['WORD'], flush=True); time.sleep(600)")


def poll(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start(layout: Layout, word: str = 'a "b" 50%') -> Supervisor:
    sleeper = Process("sleeper", SLEEPER, layout.home, {"WORD": word})
    supervisor_config.write_configuration(layout, {"services": [sleeper], "simulator": []})
    supervisor = Supervisor(layout)
    supervisor.start()
    supervisor.start_group("services")
    poll((layout.pids / "sleeper.pid").exists)
    return supervisor


def pid(layout: Layout) -> int:
    return int((layout.pids / "sleeper.pid").read_text() or 0)


def test_a_killed_program_comes_back_and_access_json_names_the_new_process(layout: Layout) -> None:
    layout.access_file.write_text(json.dumps({"pids": {"sleeper": 1, "other": 2}}, indent=1))
    start(layout)
    first = pid(layout)

    os.kill(first, signal.SIGKILL)
    poll(lambda: pid(layout) not in {0, first} and psutil.pid_exists(pid(layout)))

    poll(lambda: json.loads(layout.access_file.read_text())["pids"] == {"sleeper": pid(layout), "other": 2})


def test_values_reach_the_program_as_they_are(layout: Layout) -> None:
    start(layout, 'a "b" 50% \\n')

    poll(lambda: 'a "b" 50% \\n' in (layout.logs / "sleeper.log").read_text())


def test_our_own_environment_does_not_reach_the_programs(layout: Layout) -> None:
    os.environ["REDIS_URL"] = "leaked"
    try:
        start(layout)
    finally:
        del os.environ["REDIS_URL"]

    assert "REDIS_URL" not in psutil.Process(pid(layout)).environ()


def test_a_second_start_changes_nothing(layout: Layout) -> None:
    start(layout)
    first = pid(layout)
    start(layout)

    assert pid(layout) == first


def test_a_changed_program_is_replaced(layout: Layout) -> None:
    start(layout)
    first = pid(layout)
    start(layout, "changed")

    poll(lambda: pid(layout) != first)
    assert not psutil.pid_exists(first)


def test_only_the_program_whose_configuration_changed_is_replaced(layout: Layout) -> None:
    """Also among programs that start together."""
    file = layout.home / "read-at-start.conf"

    def started_with(text: str) -> dict[str, int]:
        file.write_text(text)
        named = {"sleeper": (file,), "neighbour": ()}
        programs = [Process(name, SLEEPER, layout.home, {"WORD": "a"}, files=f) for name, f in named.items()]
        supervisor_config.write_configuration(layout, {"services": programs})
        supervisor = Supervisor(layout)
        supervisor.start()
        supervisor.start_group("services")
        poll(lambda: all(info["pid"] for info in supervisor.processes()))
        return {info["name"]: info["pid"] for info in supervisor.processes()}

    first = started_with("limit 1")
    assert started_with("limit 1") == first
    second = started_with("limit 2")

    assert second["neighbour"] == first["neighbour"]
    assert second["sleeper"] != first["sleeper"]
    assert not psutil.pid_exists(first["sleeper"])


def test_stopping_leaves_no_process(layout: Layout) -> None:
    start(layout)
    ours = [pid(layout), int(layout.supervisor_pid.read_text())]

    assert teardown.stop(layout) is True
    assert not any(psutil.pid_exists(number) for number in ours)
    assert teardown.stop(layout) is False


def test_programs_that_outlived_their_supervisor_are_stopped(layout: Layout) -> None:
    start(layout)
    orphan = pid(layout)
    psutil.Process(int(layout.supervisor_pid.read_text())).kill()

    assert teardown.stop(layout) is True
    assert not psutil.pid_exists(orphan)


def test_a_number_that_went_to_another_process_is_left_alone(layout: Layout) -> None:
    other = psutil.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    file = layout.pids / "gone.pid"
    file.write_text(str(other.pid))
    os.utime(file, (time.time() - 3600, time.time() - 3600))

    teardown.stop(layout)

    assert other.is_running()
    other.kill()
    other.wait()


def test_reset_leaves_nothing(layout: Layout) -> None:
    start(layout)

    teardown.reset(layout)

    assert not layout.home.exists()
