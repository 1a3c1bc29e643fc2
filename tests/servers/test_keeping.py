"""Processes of servers: nothing of one is ever left, whoever is killed, and nothing of the daemon's is in it."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers.started import lines_of
from waiting import eventually, wait_until

from daemon.base.clock import SystemClock
from daemon.base.platform import is_gone
from daemon.base.tasks import TaskSet
from daemon.core.scrubbing.scrub import Scrubber
from daemon.tools.servers.keeping import log as logs
from daemon.tools.servers.keeping import process
from daemon.tools.servers.keeping.environment import environment_of
from daemon.tools.servers.keeping.kept import Kept, StartError
from daemon.tools.servers.keeping.log import ServerLogs
from daemon.tools.servers.keeping.process import Keeping

LINUX = sys.platform == "linux"
ESCAPING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def note():
    with open("pids", "a") as file:
        file.write(f"{os.getpid()}\\n")
if os.fork() == 0:
    note()
    if %(escapes)r:
        os.setsid()
        if os.fork():
            os._exit(0)
        note()
        if os.fork() == 0:
            note()
    time.sleep(600)
note()
print("ready", flush=True)
sys.stdin.read() if %(polite)r else time.sleep(600)
"""


def python(code: str) -> list[str]:
    """Return a command that runs a few lines."""
    return [sys.executable, "-ISc", code]


def escaping(*, polite: bool = False) -> list[str]:
    """Return a server whose descendants ignore SIGTERM and, where that can be mended, leave its session."""
    return python(ESCAPING % {"escapes": LINUX, "polite": polite})


def noted(folder: Path) -> list[int]:
    """Return the processes that wrote down their ids."""
    file = folder / "pids"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def open_descriptors() -> int:
    """Count what this process has open."""
    return len(list(Path("/dev/fd").iterdir()))


def of_process(pid: int | None, part: str) -> bytes:
    """Return what the system says of a process."""
    return Path(f"/proc/{pid}/{part}").read_bytes()


def guardian_of(server: int) -> int:
    """Return the process that holds a server: its parent."""
    return int(of_process(server, "stat").rpartition(b")")[2].split()[1])


def log_of(room: "Room") -> str:
    """Return the newer part of the log."""
    return room.logs.path("held").read_text()


MANY = 4 if LINUX else 2


class Room:
    """A keeping and its logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tasks = TaskSet()
        self.keeping = Keeping(self.tasks, graces=(0.1, 0.2))
        self.logs = ServerLogs(folder / "logs", SystemClock())

    async def start(self, command: list[str], env: dict[str, str] | None = None) -> Kept:
        clean = Scrubber(["hunter2-secret"]).scrub
        return await self.keeping.start(command, env or {}, self.folder, self.logs.of("held", clean))


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path)
    yield room
    await room.keeping.close()
    await room.tasks.close()
    room.logs.close()


async def test_a_server_reads_and_writes_and_ends_with_the_keeper_when_its_input_is_closed(room: Room) -> None:
    before = open_descriptors()
    kept = await room.start(["/bin/cat"])
    keeper = room.keeping.pid
    assert keeper is not None
    kept.pipes.input.write(b"hello\n")
    assert await lines_of(kept.pipes).readline() == b"hello\n"
    await kept.stop()
    assert kept.nothing_left.result() == 0, "it was not ended by a signal"
    await eventually(lambda: is_gone(kept.pid) and is_gone(keeper))
    assert room.keeping.pid is None
    await eventually(lambda: open_descriptors() == before)


async def test_descendants_that_ignore_sigterm_and_left_the_session_end_with_a_server_that_is_stopped(
    room: Room,
) -> None:
    kept = await room.start(escaping())
    await lines_of(kept.pipes).readline()
    await eventually(lambda: len(noted(room.folder)) == MANY)
    await kept.stop()
    assert all(map(is_gone, noted(room.folder)))


async def test_descendants_end_when_their_server_ends_by_itself(room: Room) -> None:
    kept = await room.start(escaping(polite=True))
    await lines_of(kept.pipes).readline()
    await eventually(lambda: len(noted(room.folder)) == MANY)
    kept.pipes.input.close()
    await kept.nothing_left
    assert all(map(is_gone, noted(room.folder)))
    await kept.stop()


if LINUX:  # macOS has no subreaper, and tells no child of its parent's end

    async def test_when_the_keeper_is_killed_its_servers_end_and_the_next_server_gets_a_new_keeper(room: Room) -> None:
        kept = await room.start(escaping())
        await lines_of(kept.pipes).readline()
        await eventually(lambda: len(noted(room.folder)) == MANY)
        keeper = room.keeping.pid
        assert keeper is not None
        os.kill(keeper, signal.SIGKILL)
        await kept.nothing_left
        assert kept.over.is_set()
        assert all(map(is_gone, noted(room.folder)))
        other = await room.start(["/bin/cat"])
        assert room.keeping.pid not in {None, keeper}
        await other.stop()
        await kept.stop()

    async def test_what_a_killed_guardian_leaves_is_ended_by_the_keeper(room: Room) -> None:
        kept = await room.start(escaping())
        await lines_of(kept.pipes).readline()
        await eventually(lambda: len(noted(room.folder)) == MANY)
        os.kill(guardian_of(kept.pid), signal.SIGKILL)
        await kept.nothing_left
        await eventually(lambda: all(map(is_gone, noted(room.folder))))
        await kept.stop()

    async def test_a_keeper_that_was_stopped_goes_on_and_no_server_is_lost(
        room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process, "_TAKEN_SECONDS", 0.7)
        kept = await room.start(["/bin/cat"])
        keeper = room.keeping.pid
        assert keeper is not None
        os.kill(keeper, signal.SIGSTOP)
        other = await room.start(["/bin/cat"])
        assert room.keeping.pid == keeper
        kept.pipes.input.write(b"still here\n")
        assert await lines_of(kept.pipes).readline() == b"still here\n"
        os.kill(keeper, signal.SIGSTOP)
        await kept.stop()
        await other.stop()
        await eventually(lambda: is_gone(keeper))

    async def test_a_keeper_that_hangs_is_replaced_and_leaves_no_process(
        room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process, "_TAKEN_SECONDS", 0.7)
        kept = await room.start(escaping())
        await lines_of(kept.pipes).readline()
        await eventually(lambda: len(noted(room.folder)) == MANY)
        assert room.keeping._keeper is not None
        keeper = room.keeping.pid
        assert keeper is not None
        room.keeping._keeper._requests.send((1 << 24).to_bytes(4, "big"))  # it waits for the rest, which never comes
        first, second = await asyncio.gather(room.start(["/bin/cat"]), room.start(["/bin/cat"]))
        assert room.keeping.pid not in {None, keeper}
        await kept.nothing_left
        assert all(map(is_gone, [keeper, *noted(room.folder)]))
        for each in (first, second):
            each.pipes.input.write(b"hello\n")
            assert await lines_of(each.pipes).readline() == b"hello\n"
            await each.stop()
        await kept.stop()

    async def test_a_hang_is_found_although_the_call_that_met_it_was_given_up(
        room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process, "_TAKEN_SECONDS", 0.7)
        kept = await room.start(["/bin/cat"])
        assert room.keeping._keeper is not None
        keeper = room.keeping.pid
        assert keeper is not None
        room.keeping._keeper._requests.send((1 << 24).to_bytes(4, "big"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await room.start(["/bin/cat"])
        await eventually(lambda: is_gone(keeper))
        await (await room.start(["/bin/cat"])).stop()
        await kept.stop()

    async def test_a_server_that_stops_its_guardian_is_ended_all_the_same(room: Room) -> None:
        kept = await room.start(escaping())
        await lines_of(kept.pipes).readline()
        await eventually(lambda: len(noted(room.folder)) == MANY)
        os.kill(guardian_of(kept.pid), signal.SIGSTOP)
        await kept.stop()
        assert all(map(is_gone, noted(room.folder)))


@pytest.mark.parametrize(
    ("number", "stopped"), [(signal.SIGKILL, False), (signal.SIGTERM, False)] + [(signal.SIGKILL, True)] * LINUX
)
def test_no_process_is_left_when_the_daemon_is_killed(tmp_path: Path, number: signal.Signals, stopped: bool) -> None:
    program = Path(__file__).with_name("keeping_daemon.py")
    daemon = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path), *escaping()],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(program.parents[2])},
        start_new_session=True,
    )
    assert daemon.stdout is not None
    with daemon, daemon.stdout:
        keeper, server = map(int, daemon.stdout.readline().split())
        wait_until(lambda: len(noted(tmp_path)) == MANY)
        if stopped:  # a server can do that to the two that would end it
            os.kill(guardian_of(server), signal.SIGSTOP)
            os.kill(keeper, signal.SIGSTOP)
        daemon.send_signal(number)
        daemon.wait()
    wait_until(lambda: all(map(is_gone, [keeper, server, *noted(tmp_path)])))


async def test_a_start_that_is_called_off_leaves_no_process(room: Room) -> None:
    other = await room.start(["/bin/cat"])  # so that the keeper is there, and the start itself is called off
    starting = room.tasks.start(room.start(escaping()), name="start")
    await eventually(lambda: bool(noted(room.folder)) or starting.done())
    starting.cancel()
    await asyncio.wait([starting])
    if not starting.cancelled():
        await starting.result().stop()
    await eventually(lambda: all(map(is_gone, noted(room.folder))))
    await other.stop()


async def test_what_cannot_be_started_says_why_and_leaves_no_keeper(room: Room) -> None:
    with pytest.raises(StartError, match=r"no-such-program cannot be started: .* Write the whole path"):
        await room.start(["no-such-program"], {"PATH": "/usr/bin:/bin"})
    with pytest.raises(StartError, match="the program /no/program cannot be started: No such file"):
        await room.start(["/no/program"], {})
    with pytest.raises(StartError, match=f"it is not in the folder where the server works, {room.folder}. Write"):
        await room.start(["./program"], {})
    script = room.folder / "my-server"
    script.write_text("#!/no/interpreter\n")
    script.chmod(0o700)
    for name, path in ((str(script), "/usr/bin"), ("my-server", f"/usr/bin:{room.folder}")):
        with pytest.raises(StartError, match="it is there, but not the program that its first line names"):
            await room.start([name], {"PATH": path})
    script.write_text("print()\n")
    with pytest.raises(StartError, match="A script begins with a line such as #!"):
        await room.start([str(script)], {})
    with pytest.raises(StartError, match=r"the folder .* cannot be entered"):
        await room.keeping.start(["cat"], {}, room.folder / "none", room.logs.of("held", str))
    assert room.keeping.pid is None


async def test_a_server_finds_nothing_of_ours_in_its_environment_its_descriptors_and_the_arguments_of_the_keeper(
    room: Room,
) -> None:
    inherited = {"AILERON_TOKEN": "x", "GITHUB_TOKEN": "y", "PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/h"}
    env = environment_of(inherited, {"TOKEN": "hunter2-secret"})
    show = (
        "import json, os, resource; print(json.dumps([dict(os.environ), os.listdir('/dev/fd'), os.getcwd(),"
        " resource.getrlimit(resource.RLIMIT_NOFILE)[0], os.getsid(0) == os.getpid()]), flush=True)"
    )
    kept = await room.start([sys.executable, "-ISc", show], env)
    environment, descriptors, folder, open_files, leads = json.loads(await lines_of(kept.pipes).readline())
    environment.pop("LC_CTYPE", None)  # Python may set it for itself
    assert environment == {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/h", "TOKEN": "hunter2-secret"}
    assert len(descriptors) == 4, "input, output, error output, and the listing itself"
    assert folder == str(room.folder.resolve())
    assert open_files <= 1024
    assert leads
    if LINUX:
        for part in ("cmdline", "environ"):
            assert b"hunter2" not in of_process(room.keeping.pid, part)
    await kept.stop()


def test_a_server_finds_the_proxy_the_certificates_and_the_registry_of_a_company_as_the_shell_does() -> None:
    company = {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "no_proxy": "localhost,.example",
        "SSL_CERT_FILE": "/etc/company.pem",
        "NODE_EXTRA_CA_CERTS": "/etc/company.pem",
        "npm_config_registry": "https://npm.example/",
        "NPM_CONFIG_CACHE": "/h/cache",
        "UV_DEFAULT_INDEX": "https://pypi.example/simple",
        "XDG_CACHE_HOME": "/h/cache",
        "DOCKER_HOST": "ssh://me@builder.example",
    }
    assert environment_of(company, {}) == company


def test_a_server_finds_no_token_and_no_proxy_or_registry_with_a_password() -> None:
    tokens = {
        "https_proxy": "http://me:hunter2@proxy.example:3128",
        "HTTP_PROXY": "me:hunter2@proxy.example:3128",
        "ALL_PROXY": "http://hunter2@proxy.example",
        "UV_INDEX_URL": "https://me:hunter2@pypi.example/simple",
        "npm_config_registry": "https://me:hunter2@npm.example/",
        "npm_config__auth": "hunter2",
        "npm_config_//npm.example/:_authToken": "hunter2",
        "NPM_TOKEN": "hunter2",
        "NODE_OPTIONS": "--require ./hunter2",
        "SSH_AUTH_SOCK": "/run/hunter2",
    }
    assert environment_of(tokens, {}) == {}
    assert environment_of(tokens, {"https_proxy": "http://me:x@proxy"}) == {"https_proxy": "http://me:x@proxy"}


async def test_the_error_output_goes_to_a_bounded_log_without_secrets_and_without_escapes(room: Room) -> None:
    secret = b"hunter2-secret"
    forms = [base64.b64encode(secret).decode(), secret.hex(), "hunter2%2Dsecret", "%68unter2-secret"]
    code = (
        f"import sys; e = sys.stderr; e.write('forms {' '.join(forms)}\\n')\n"
        "e.write('token hunter2-secret \\x1b[31mred\\n' + 'x' * 40000 + 'hunter2-secret\\n'); e.write('the end')"
    )
    kept = await room.start(python(code))
    await kept.nothing_left
    assert "the end" in await kept.last_words()
    text = log_of(room)
    assert not [each for each in ("hunter2", "unter2", *forms) if each in text], text
    assert "\x1b" not in text
    assert "[redacted]" in text
    assert len(text) < 20_000
    assert room.logs.path("held").stat().st_mode & 0o777 == 0o600
    await kept.stop()


async def test_a_flood_of_errors_fills_no_disk_and_the_server_goes_on(room: Room) -> None:
    flood = python(
        "import sys\nfor _ in range(30000): sys.stderr.write('wrong ' * 20 + '\\n')\nprint('on', flush=True)"
    )
    kept = await room.start(flood)
    assert await lines_of(kept.pipes).readline() == b"on\n"
    await kept.nothing_left
    await kept.stop()
    await kept.last_words()
    assert "were left out" in log_of(room)
    assert room.logs.path("held").stat().st_size < 1 << 20, "it wrote 3.6 MB"


async def test_a_log_that_is_full_becomes_the_older_part_and_a_new_one_begins(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 4096)
    for _ in range(3):
        kept = await room.start(python("import sys; sys.stderr.write('a line\\n' * 60)"))
        await kept.nothing_left
        await kept.last_words()
        await kept.stop()
    files = sorted(room.logs.path("held").parent.iterdir())
    assert [file.name for file in files] == ["held.log", "held.log.1"]
    assert sum(file.stat().st_size for file in files) < 2 * 4096


async def test_a_log_that_cannot_be_written_stops_no_server(room: Room) -> None:
    (room.folder / "logs").write_text("no folder")
    kept = await room.start(python("import sys; sys.stderr.write('x' * 300000); print('on', flush=True)"))
    assert await lines_of(kept.pipes).readline() == b"on\n"
    await kept.stop()
