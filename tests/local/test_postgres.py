"""The embedded PostgreSQL: the same data at every start, whatever happened before."""

import asyncio
import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from services.local.keys import fresh_keys
from services.local.layout import postgres_home
from services.local.postgres import Cluster
from services.local.processes import is_alive
from services.local.runner import SYSTEM_FOLDER, NoPostgres, Runner, find_programs, find_runner
from tests.postgres import PASSWORD, throwaway_cluster


@pytest.fixture
def running() -> Iterator[Cluster]:
    with throwaway_cluster() as cluster:
        yield cluster


def again(cluster: Cluster) -> Cluster:
    """The same data, as the next start sees it."""
    return Cluster(cluster.home, cluster.password, durable=False)


def ask(cluster: Cluster, *statements: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(cluster.url("postgres"))
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


def postmaster(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


def test_data_is_there_at_the_next_start(running: Cluster) -> None:
    ask(running, "CREATE TABLE kept AS SELECT 7 AS value", "SELECT 1")
    running.stop()

    running.start()

    assert ask(running, "SELECT value FROM kept") == 7


def test_it_loses_nothing_when_it_is_killed() -> None:
    with throwaway_cluster(durable=True) as cluster:
        ask(cluster, "CREATE TABLE kept AS SELECT 7 AS value", "SELECT 1")
        os.kill(postmaster(cluster), signal.SIGKILL)
        following = Cluster(cluster.home, cluster.password)
        try:
            following.start()
            value = ask(following, "SELECT value FROM kept")
        finally:
            following.stop()

    assert value == 7


def test_a_server_that_outlived_its_supervisor_is_ended(running: Cluster) -> None:
    former = postmaster(running)

    following = again(running)
    try:
        following.start()
        value = ask(following, "SELECT 1")
    finally:
        following.stop()

    assert value == 1
    assert not is_alive(former)


def test_a_lock_whose_id_is_anothers_now_is_forgotten(running: Cluster) -> None:
    lock = running.data / "postmaster.pid"
    text = lock.read_text()
    running.stop()
    # After kill -9 the file stays, and this very process may get the number.
    lock.write_text("\n".join([str(os.getpid()), *text.split("\n")[1:]]))

    running.start()

    assert ask(running, "SELECT 1") == 1


def test_what_a_start_left_half_made_is_made_anew(tmp_path: Path) -> None:
    home = Path(tempfile.mkdtemp(prefix="permesso-half-", dir="/tmp"))
    home.chmod(0o755)
    (home / "postgres" / "data.new" / "base").mkdir(parents=True)
    cluster = Cluster(home / "postgres", PASSWORD, durable=False)
    try:
        cluster.start()
        value = ask(cluster, "SELECT 1")
    finally:
        cluster.remove()
        home.rmdir()

    assert value == 1


def test_data_of_another_version_is_refused_with_advice(running: Cluster) -> None:
    running.stop()
    (running.data / "PG_VERSION").write_text("9\n")

    with pytest.raises(NoPostgres, match=r"made by PostgreSQL 9.*pg_dumpall"):
        running.start()


def test_it_listens_on_a_socket_for_its_user_alone(running: Cluster) -> None:
    folder = running.socket.stat()

    assert ask(running, "SHOW listen_addresses") == ""
    assert stat.S_IMODE(folder.st_mode) == 0o700
    assert folder.st_uid == running.runner.uid


def test_a_wrong_password_is_refused(running: Cluster) -> None:
    stranger = replace(running, password="wrong")

    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(stranger, "SELECT 1")


def test_a_path_that_is_too_long_for_a_socket_gets_one_elsewhere() -> None:
    home = Path("/tmp") / ("long-" * 24)
    cluster = Cluster(home, PASSWORD)

    assert cluster.socket.parent == Path("/tmp")
    assert len(os.fsencode(cluster.socket)) < 60


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    home = tmp_path / ("long-" * 24)
    cluster = Cluster(home, PASSWORD)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cluster.socket.symlink_to(elsewhere)
    try:
        with pytest.raises(NoPostgres, match="belongs to somebody else"):
            cluster.prepare()
    finally:
        cluster.socket.unlink()


def test_the_log_holds_no_values(running: Cluster) -> None:
    secret = "+420777123456"
    with pytest.raises(asyncpg.UniqueViolationError):
        ask(
            running,
            "CREATE TABLE address (value text PRIMARY KEY)",
            f"INSERT INTO address VALUES ('{secret}')",
            f"INSERT INTO address VALUES ('{secret}')",
            "SELECT 1",
        )
    log = running.log.read_text()

    assert "duplicate key" in log
    assert secret not in log


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ('FATAL: could not write to file "pg_wal/x": No space left on device', "disk is full"),
        ('FATAL: could not open file "x": Permission denied', "not readable"),
        ('FATAL: lock file "postmaster.pid" already exists', "Another PostgreSQL"),
        ("something new", "its log tells why"),
    ],
)
def test_a_start_that_failed_is_explained(tmp_path: Path, line: str, meaning: str) -> None:
    cluster = Cluster(tmp_path, PASSWORD)
    cluster.log.write_text(line)

    assert meaning in cluster.why_not()
    assert str(cluster.log) in cluster.why_not()


def test_root_opens_no_folder_of_anybody(tmp_path: Path) -> None:
    closed = tmp_path / "home" / "clone" / "data"
    closed.mkdir(parents=True)
    (tmp_path / "home").chmod(0o700)
    keys = fresh_keys()
    runner = find_runner()

    home = postgres_home(closed, keys, runner)

    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    if runner.is_us:
        assert home == closed / "postgres"
    else:
        assert home == SYSTEM_FOLDER / keys.instance / "postgres"
        home.parent.rmdir()


def test_programs_are_where_their_user_can_enter() -> None:
    stranger = Runner("nobody", 65534, 65534) if os.geteuid() == 0 else find_runner()

    programs = find_programs(stranger)

    assert stranger.can_enter(programs)
    assert (programs / "postgres").exists()


AS_ORDINARY_USER = """
import asyncio, os, sys
from pathlib import Path
import asyncpg, asyncpg.connection
import encodings.idna, getpass
from services.local.postgres import Cluster
home, uid, gid = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if os.geteuid() != uid:
    os.setgroups([]); os.setgid(gid); os.setuid(uid)
os.environ["HOME"] = str(home)
cluster = Cluster(home / "data" / "postgres", "secret", durable=False)
async def ask():
    connection = await asyncpg.connect(cluster.url("postgres"))
    print(await connection.fetchval("SELECT 6 * 7"), cluster.runner.uid)
    await connection.close()
try:
    cluster.start()
    asyncio.run(ask())
finally:
    cluster.stop()
"""


def test_an_ordinary_user_has_it_in_an_own_folder(tmp_path: Path) -> None:
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    find_programs(Runner(user.pw_name, user.pw_uid, user.pw_gid))
    home = Path(tempfile.mkdtemp(prefix="permesso-user-", dir="/tmp"))
    os.chown(home, user.pw_uid, user.pw_gid)
    try:
        shown = subprocess.run(
            [sys.executable, "-c", AS_ORDINARY_USER, str(home), str(user.pw_uid), str(user.pw_gid)],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            check=False,
        )
        owner = (home / "data" / "postgres" / "data").stat().st_uid
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True)

    assert shown.stdout.split() == ["42", str(user.pw_uid)], shown.stderr
    assert owner == user.pw_uid
