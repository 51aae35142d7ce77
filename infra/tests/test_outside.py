"""Data of servers that root starts lie where their own users can reach them, and survive every move there."""

import os
import pwd
import resource
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from fleet_infra.servers import outside
from fleet_infra.servers.accounts import ACCOUNT, service_account
from fleet_infra.servers.base import NotReady
from fleet_infra.servers.outside import OUTSIDE, give, move_outside, remove_data, settle
from fleet_infra.servers.ports import free_port
from fleet_infra.servers.redis import RedisServer
from fleet_infra.servers.runner import Runner

pytestmark = [
    pytest.mark.usefixtures("fleet_servers"),  # these are no unit tests
    pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root starts programs as himself"),
]


def test_data_that_root_wrote_are_kept_in_a_clone_that_only_root_can_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = RedisServer(closed / "redis", free_port(), "a-password")
    of_root = RedisServer(closed / "redis", server.port, "a-password")
    of_root.folder.mkdir()
    of_root.folder.rename(closed / "elsewhere")
    of_root.folder.symlink_to(closed / "elsewhere")  # a folder that somebody linked is left alone
    write(of_root, tmp_path, "before")
    assert not (closed / "redis").resolve().is_relative_to(OUTSIDE)
    of_root.folder.unlink()
    (closed / "elsewhere").rename(of_root.folder)
    owners = {file.owner() for file in of_root.folder.rglob("*")}
    assert owners == {"root"}

    assert write(server, tmp_path, "after") == b"before"

    data = server.folder.resolve()
    assert data.parent == OUTSIDE
    assert {file.owner() for file in [data, *data.rglob("*")]} == {ACCOUNT}
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert not (closed / "redis.moved").exists()
    remove_data(server.folder)
    assert not data.exists()
    assert not data.with_suffix(".link").exists()


def write(server: RedisServer, folder: Path, value: str) -> bytes | None:
    """Start it, exchange a value, and stop it; what was there before."""
    runner = Runner(folder / "logs")
    try:
        runner.start(server)
        with redis.Redis.from_url(server.url) as client:
            before = client.set("key", value, get=True)
    finally:
        runner.stop()
    assert before is None or isinstance(before, bytes)
    return before


def test_a_running_servers_data_stay_until_it_is_stopped(tmp_path: Path) -> None:
    running = RedisServer(tmp_path / "redis", free_port(), "a-password", durable=False)
    running.folder.mkdir()
    linked = tmp_path / "linked"
    running.folder.rename(linked)
    running.folder.symlink_to(linked)
    runner = Runner(tmp_path / "logs")
    try:
        runner.start(running)
        running.folder.unlink()
        linked.rename(running.folder)
        running.prepare()
        assert running.processes()[0].user is None
        assert not running.folder.is_symlink()
    finally:
        runner.stop()


def test_what_a_move_left_behind_is_taken_up_again(tmp_path: Path) -> None:
    account = service_account()
    assert account == ACCOUNT
    folder = tmp_path / "data"
    (tmp_path / "data.moved").mkdir()
    (tmp_path / "data.moved" / "file").write_text("kept")

    move_outside(folder, account)

    assert (folder / "file").read_text() == "kept"
    assert (folder / "file").owner() == account
    remove_data(folder)


def test_links_in_the_data_do_not_give_away_what_they_point_to(tmp_path: Path) -> None:
    service_account()
    secret = tmp_path / "secret"
    secret.write_text("root's")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "file").symlink_to(secret)
    (folder / "folder").symlink_to(tmp_path)

    give(folder, ACCOUNT)

    assert secret.owner() == tmp_path.owner() == pwd.getpwuid(os.geteuid()).pw_name
    assert folder.owner() == ACCOUNT


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where data outside lie for this test: another fleet's are none of its business."""
    service_account()
    monkeypatch.setattr(outside, "OUTSIDE", tmp_path / "outside")
    return tmp_path / "outside"


def test_data_of_a_moved_clone_are_kept(
    elsewhere: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And are known by the link's new place from the next start on."""
    clone = Path("/opt") / f"fleet-moved-{tmp_path.name}"
    moved = clone.with_suffix(".moved")
    clone.mkdir()
    try:
        (clone / "redis").mkdir()
        (clone / "redis" / "queue").write_text("readings")
        move_outside(clone / "redis", ACCOUNT)
        clone.rename(moved)

        for name in ("another", "and-another"):
            move_outside(tmp_path / name, ACCOUNT)

        assert (moved / "redis" / "queue").read_text() == "readings"
        assert capsys.readouterr().err.count(f"holds data of {clone / 'redis'}, which is gone") == 1
        assert settle(moved / "redis", free_port()) == ACCOUNT
        note = (moved / "redis").resolve().with_suffix(".link")
        assert note.read_text() == str(moved / "redis")
    finally:
        shutil.rmtree(clone, ignore_errors=True)
        shutil.rmtree(moved, ignore_errors=True)


def test_of_a_tests_folder_that_is_gone_only_what_a_process_uses_is_kept(
    elsewhere: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    for name in ("used", "unused"):
        move_outside(gone / name, ACCOUNT)
    used, unused = ((gone / name).resolve() for name in ("used", "unused"))
    user = psutil.Popen(["sleep", "600"], cwd=used)
    try:
        shutil.rmtree(gone)

        move_outside(tmp_path / "another", ACCOUNT)

        assert used.exists()
        assert not unused.exists()
        assert not unused.with_suffix(".link").exists()
    finally:
        user.kill()
        user.wait()


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A folder on another file system than the temporary ones."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


def test_a_copy_that_fails_leaves_nothing_and_the_next_one_succeeds(
    elsewhere: Path, tmp_path: Path, other_disk: Path
) -> None:
    if other_disk.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    folder = other_disk / "redis"
    folder.mkdir()
    (folder / "file").write_text("kept")
    os.mkfifo(folder / "pipe")  # cannot be copied
    for _ in range(2):
        with pytest.raises(shutil.Error):
            move_outside(folder, ACCOUNT)
        assert list(elsewhere.iterdir()) == []

    (folder / "pipe").unlink()
    move_outside(folder, ACCOUNT)

    assert (folder / "file").read_text() == "kept"
    assert folder.resolve().parent == elsewhere
    assert len(list(elsewhere.iterdir())) == 2  # with its note


def test_data_for_which_there_is_no_room_are_refused_before_they_are_copied(
    elsewhere: Path, tmp_path: Path, other_disk: Path
) -> None:
    if other_disk.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    folder = other_disk / "redis"
    folder.mkdir()
    with (folder / "huge").open("wb") as file:
        file.truncate(2**42)  # needs no room as long as nobody copies it

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))  # if it is copied, not much of it
    try:
        with pytest.raises(NotReady, match="make room"):
            move_outside(folder, ACCOUNT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert list(elsewhere.iterdir()) == []


def test_data_on_the_same_disk_are_renamed_and_found_when_that_was_all(
    elsewhere: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    (folder / "file").write_text("kept")
    inode = (folder / "file").stat().st_ino
    elsewhere.mkdir()
    half = elsewhere / "redis-0123456789ab"
    half.with_suffix(".moving").write_text(str(folder))
    folder.rename(half)  # where the earlier call ended

    move_outside(folder, ACCOUNT)

    assert folder.resolve() == half
    assert (folder / "file").stat().st_ino == inode
    assert (folder / "file").owner() == ACCOUNT
    assert not half.with_suffix(".moving").exists()


def test_the_move_of_another_server_may_end_at_any_moment(elsewhere: Path, tmp_path: Path) -> None:
    elsewhere.mkdir()
    (elsewhere / "rabbitmq-0123456789ab.moving").symlink_to("gone")  # listed, and then no longer there

    move_outside(tmp_path / "redis", ACCOUNT)

    assert (tmp_path / "redis").is_dir()


def test_data_on_the_same_disk_are_not_copied(elsewhere: Path, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    inode = folder.stat().st_ino

    move_outside(folder, ACCOUNT)

    assert folder.resolve().stat().st_ino == inode


def test_the_user_can_reach_its_data_whatever_roots_umask_is(elsewhere: Path, tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        move_outside(tmp_path / "redis", ACCOUNT)
    finally:
        os.umask(umask)

    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
