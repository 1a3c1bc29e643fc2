"""Servers as they are opened and lent: real processes and a real server over HTTP, with secrets put in."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers.started import SOON, HostileHttp, hostile, ran
from waiting import eventually

from daemon.base.clock import SystemClock
from daemon.base.platform import is_gone
from daemon.base.tasks import TaskSet
from daemon.core.failures import Failure, FailureClass
from daemon.net.http1.pool import Pool as HttpPool
from daemon.tools.servers.keeping.log import ServerLogs
from daemon.tools.servers.keeping.process import Keeping
from daemon.tools.servers.lives.opening import Opener, Surroundings
from daemon.tools.servers.lives.pool import Pool
from daemon.tools.servers.lives.put_in import PutIn, SecretsOfVault
from daemon.tools.servers.lives.states import State
from daemon.tools.servers.upstream.seam import Era, Message, Trouble, UpstreamError
from daemon.tools.servers.values import Mode, ServerConfig
from daemon.vault.errors import VaultLocked

SECRET = "sentinel-4711-of-the-vault"


PEM = "-----BEGIN-----\nfirst-line-of-it\nsecond-line-of-it"


class Vault:
    """Puts in two secrets for their names; a locked vault while `locked`."""

    def __init__(self) -> None:
        self.locked = False

    def put_in(self, server: ServerConfig) -> PutIn:
        if self.locked:
            raise VaultLocked
        named = {"vault://secrets/token": SECRET, "vault://secrets/pem": PEM}
        env = {name: named.get(text, text) for name, text in server.env.items()}
        return PutIn(config=replace(server, env=env), secrets=frozenset(named.values()))


class Room:
    """What holds the servers of a daemon, in this process."""

    def __init__(self, folder: Path, stops: AsyncExitStack) -> None:
        self.folder, self.vault, clock, tasks = folder, Vault(), SystemClock(), TaskSet()
        self.keeping, self.logs = Keeping(tasks), ServerLogs(folder / "logs", clock)
        http = HttpPool(extra_ca_file=None, connect_seconds=5, allow_private=frozenset())
        self.opener = Opener(
            secrets=self.vault,
            keeping=self.keeping,
            logs=self.logs,
            http=http,
            surroundings=Surroundings(environment={"PATH": os.environ["PATH"]}, folder=folder),
        )
        self.pool = Pool(self.opener.open, clock, tasks)
        stops.push_async_callback(tasks.close)
        stops.callback(self.logs.close)
        for each in (http, self.keeping, self.pool):
            stops.push_async_callback(each.close)

    def local(self, *behaviours: str, **more: Any) -> ServerConfig:
        command = hostile(*behaviours, ledger=self.folder / "ledger", era=more.pop("era", "both"))
        return ServerConfig(name="hostile", command=tuple(command), **more)

    async def call(self, server: ServerConfig, tool: str = "echo", text: str = "hi") -> Message:
        async with self.pool.lent(server, "s") as executor:
            return await executor.call_tool(tool, {"text": text}, SOON)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with AsyncExitStack() as stops:
        yield Room(tmp_path, stops)


async def test_a_process_is_lent_gets_its_secret_and_its_log_does_not(room: Room) -> None:
    code = (
        "import os, runpy, sys; sys.stderr.write('my token is ' + os.environ['TOKEN'] + os.environ['PEM'] + '\\n');"
        " sys.stderr.flush(); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = (sys.executable, "-Ec", code, *hostile()[2:])
    server = ServerConfig(
        name="teller", command=command, env={"TOKEN": "vault://secrets/token", "PEM": "vault://secrets/pem"}
    )
    assert (await room.call(server))["content"]
    assert room.pool.state(server).state is State.READY
    await room.pool.stop("teller")
    log = room.logs.path("teller")
    await eventually(lambda: log.exists() and "my token is [redacted]" in log.read_text())
    for secret in (SECRET, *PEM.splitlines()):
        assert secret not in log.read_text()
    scrubber = room.opener.secrets_known.scrubber_of("teller")
    assert scrubber is not None
    assert scrubber.scrub(f"it is {SECRET}") == "it is [redacted]"


async def test_five_hundred_first_calls_at_once_start_one_child(room: Room, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); import runpy, sys; sys.argv = sys.argv[1:]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    server = ServerConfig(name="one", command=(sys.executable, "-Ec", code, *hostile()[2:]))
    found = await asyncio.gather(*(room.call(server, text=str(number)) for number in range(500)))
    assert len(found) == 500
    assert (tmp_path / "starts").read_text() == "x"


async def test_a_server_that_dies_in_a_call_is_left_alone_says_why_and_leaves_no_children(room: Room) -> None:
    pids = room.folder / "children"
    server = room.local("dies_in_call", f"leaves_children={pids}")

    def numbers() -> list[int]:
        return list(map(int, pids.read_text().split()))

    async with room.pool.lent(server, "s"):
        await eventually(lambda: len(numbers()) == 2)
    with pytest.raises(UpstreamError) as lost:
        await room.call(server)
    assert lost.value.trouble is Trouble.LOST
    refused = await _refused(room, server)
    assert "in 1 s or later" in refused.message
    assert len(ran(room.folder / "ledger")) == 1
    await eventually(lambda: all(map(is_gone, numbers())))


async def _refused(room: Room, server: ServerConfig) -> Failure:
    with pytest.raises(Failure) as refused:
        await room.call(server)
    return refused.value


async def test_what_cannot_be_started_is_a_failure_with_its_last_words_and_without_secrets(room: Room) -> None:
    code = "import os, sys; sys.exit('no licence for ' + os.environ['TOKEN'])"
    dies = ServerConfig(name="dies", command=(sys.executable, "-ISc", code), env={"TOKEN": "vault://secrets/token"})
    with pytest.raises(UpstreamError) as problem:
        await room.call(dies)
    assert problem.value.trouble is Trouble.NOT_STARTED
    assert "no licence for [redacted]" in problem.value.message
    assert "status 1" in problem.value.message
    missing = ServerConfig(name="missing", command=("no-such-program",))
    with pytest.raises(UpstreamError, match="no-such-program cannot be started"):
        await room.call(missing)


async def test_a_server_that_takes_too_long_to_start_is_ended(room: Room) -> None:
    server = room.local("slow_start=60", start_seconds=1.0)
    with pytest.raises(UpstreamError, match="in 1 s"):
        await room.call(server)
    assert room.pool.state(server).state is State.FAILED


async def test_a_server_that_ends_when_it_is_asked_for_its_era_is_started_again_and_greeted_in_the_older_way(
    room: Room,
) -> None:
    server = room.local("dies_on_unknown", era="handshake")
    await room.call(server)
    hello = room.pool.state(server).hello
    assert hello is not None
    assert hello.era is Era.HANDSHAKE


async def test_a_locked_vault_is_said_and_the_next_call_after_it_was_unlocked_starts_the_server(room: Room) -> None:
    server = room.local()
    room.vault.locked = True
    assert "aileron vault unlock" in (await _refused(room, server)).message
    room.vault.locked = False
    await room.call(server)


async def test_a_remote_session_that_expired_is_replaced_by_one_new_one(room: Room, http: HostileHttp) -> None:
    served = http.serve("expires=1", era="handshake")
    server = ServerConfig(name="far", mode=Mode.REMOTE, url=served.url)
    await room.call(server)
    with pytest.raises(UpstreamError) as gone:
        await room.call(server)
    assert gone.value.trouble is Trouble.SESSION_GONE
    await room.call(server)
    assert len(served.seen("initialize")) == 2


async def test_a_server_that_floods_its_error_output_answers_and_fills_no_disk(room: Room) -> None:
    server = room.local("floods_stderr")
    for _ in range(50):
        await room.call(server)
    await room.pool.stop("hostile")
    assert 0 < room.logs.path("hostile").stat().st_size < 2 << 20


async def test_notices_are_heard_with_the_name_of_their_server(room: Room) -> None:
    heard: list[str] = []
    room.opener.on_notice = lambda server, _session, method, _params: heard.append(f"{server.name} {method}")
    server = room.local("listens")
    await room.call(server)
    await eventually(lambda: "hostile notifications/tools/list_changed" in heard)


class Plain:
    """Secrets by name."""

    def __init__(self, **values: bytes) -> None:
        self.values = values

    def secret(self, name: str) -> bytes | None:
        return self.values.get(name)


def test_secrets_stand_in_variables_headers_and_queries_and_in_arguments_only_if_the_person_said_so() -> None:
    secrets = SecretsOfVault(Plain(token=SECRET.encode(), odd=b"a&b c"))
    server = ServerConfig(
        name="all",
        command=("run", "vault://secrets/token"),
        env={"ODD": "vault://secrets/odd"},
        url="https://x.example/mcp?key=vault://secrets/odd",
        headers={"Authorization": "Bearer vault://secrets/token"},
    )
    found = secrets.put_in(server)
    assert found.config.command == server.command
    assert found.config.env == {"ODD": "a&b c"}
    assert found.config.url == "https://x.example/mcp?key=a%26b%20c"
    assert found.config.headers == {"Authorization": f"Bearer {SECRET}"}
    assert {SECRET, "a&b c", f"Bearer {SECRET}"} <= found.secrets
    assert secrets.put_in(replace(server, unsafe_args=True)).config.command == ("run", SECRET)
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("value", "of_class"),
    [
        (None, FailureClass.BINDING_REQUIRED),
        (b"\xff", FailureClass.BINDING_FAILED),
        (b"a\nb", FailureClass.BINDING_FAILED),
    ],
)
def test_a_secret_that_is_missing_or_cannot_stand_there_is_named_with_the_command_that_mends_it(
    value: bytes | None, of_class: FailureClass
) -> None:
    server = ServerConfig(name="far", mode=Mode.REMOTE, url="https://x.example", headers={"X": "vault://secrets/token"})
    with pytest.raises(Failure) as refused:
        SecretsOfVault(Plain(**({} if value is None else {"token": value}))).put_in(server)
    assert refused.value.failure_class is of_class
    assert refused.value.details["command"] == "aileron secret add token"
