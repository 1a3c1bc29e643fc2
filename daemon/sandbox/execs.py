"""Programs that a person runs in a running sandbox, beside the agent: `aileron sandbox exec`.

The engine starts each in the agent's container, so it has the agent's user, limits, network and files, and no way out
that the agent has not. It is in the audit log before it begins, with who asked for it. It ends with the sandbox, and
when nobody reads what it writes any more.
"""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Entropy
from daemon.base.redaction import redact_text
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.missing import no_such
from daemon.core.principal import Principal
from daemon.core.visible import visible
from daemon.core.vocabulary import Attr, EventType
from daemon.sandbox.attachment import STDOUT, TOLD, Attachment
from daemon.sandbox.container_options import exec_creation, signal_creation
from daemon.sandbox.engine import Engine
from daemon.sandbox.sandbox import Sandbox

_MOST = 16
"""How many programs may be in one sandbox at once."""
_NUMBER_BYTES = 32
"""The first line of a program is its number, and is shorter than this."""
_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    """What a person wants to run."""

    command: tuple[str, ...]
    terminal: bool
    kind_of_terminal: str = ""
    columns: int = 80
    rows: int = 24


@dataclass(slots=True, kw_only=True)
class Exec:
    """One program beside the agent.

    named --run()--> running --its output ends--> ended
                        |                           ^
                        +---its reader goes away----+   after SIGHUP, and SIGKILL a little later
    """

    id: str
    sandbox: Sandbox
    wanted: ExecRequest
    by: Principal
    engine_id: str = ""
    attachment: Attachment | None = None
    process: int = 0
    """Its number inside, once it has said it."""
    code: int = 128 + signal.SIGKILL
    """Its exit code; this one if the sandbox ended first, and the program with it."""


class Execs:
    """Starts programs beside agents, carries their streams, and ends them."""

    def __init__(self, *, engine: Engine, audit: AuditLog, entropy: Entropy) -> None:
        self._engine = engine
        self._audit = audit
        self._entropy = entropy
        self._programs: dict[str, Exec] = {}

    def get(self, sandbox: str, program: str) -> Exec:
        """Return a program that runs in a sandbox; raise Failure if there is none."""
        found = self._programs.get(program)
        if found is None or found.sandbox.session != sandbox:
            raise no_such("program in this sandbox", program, remedy="It may have ended.")
        return found

    def name(self, sandbox: Sandbox, wanted: ExecRequest, *, by: Principal) -> Exec:
        """Return a program that may begin; raise Failure where none may."""
        running_container(sandbox)
        if sum(each.sandbox is sandbox for each in self._programs.values()) >= _MOST:
            message = f"There are {_MOST} programs beside this agent already. End one of them first."
            raise Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, message, boundary=Boundary.SANDBOX)
        return Exec(id=self._entropy(8).hex(), sandbox=sandbox, wanted=wanted, by=by)

    async def run(self, program: Exec) -> AsyncIterator[tuple[int, bytes]]:
        """Write a program down, start it, and hand out what it writes; raise Failure if it cannot be started.

        When the reader goes away before its end, it is ended. `program.code` is right when this is over.
        """
        container, about = running_container(program.sandbox), _about(program)
        await self._note(EventType.SANDBOX_EXEC_STARTED, program, about)
        self._programs[program.id] = program
        over = False
        cut = asyncio.get_running_loop().create_task(_cut_in_time(program), name=f"cut {program.id}")
        try:
            await self._engine.call(lambda client: _start(client, container, program))
            # Only now: whoever reads it may write to the program's input.
            yield TOLD, json.dumps({"program": program.id}).encode()
            async for piece in self._said(program):
                yield piece
            over = True
        finally:
            cut.cancel()
            await asyncio.shield(self._leave(program, about, over=over))

    async def give(self, program: Exec, data: bytes, *, end: bool) -> None:
        """Write to its standard input, or close that."""
        if program.attachment is not None:
            await program.attachment.typed(data, end=end)

    async def resize(self, program: Exec, columns: int, rows: int) -> None:
        """Tell its terminal how large the person's is."""
        with contextlib.suppress(Failure):
            await self._engine.call(lambda client: client.exec_resize(program.engine_id, rows, columns))

    async def signal(self, program: Exec, name: str) -> None:
        """Send a signal to it, and to what it has started."""
        container = program.sandbox.container
        if not program.process or container is None or program.sandbox.ending.is_set():
            return
        words = signal_creation(program.process, int(signal.Signals[name]))

        def send(client: Any) -> None:
            client.exec_start(client.exec_create(container, **words)["Id"], detach=True)

        with contextlib.suppress(Failure):
            await self._engine.call(send)

    async def _said(self, program: Exec) -> AsyncIterator[tuple[int, bytes]]:
        """Take the number off the front of what it writes, and hand out the rest."""
        first = b""
        if program.attachment is None:
            return
        async for kind, piece in program.attachment.output():
            if program.process or kind != STDOUT:
                yield kind, piece
                continue
            first += piece
            line, found, rest = first.partition(b"\n")
            if found and line.strip().isdigit():
                program.process = int(line)
            elif not found and len(first) < _NUMBER_BYTES:
                continue
            else:  # no program of ours wrote this: the engine itself says what is wrong
                yield kind, first
                first = b""
                continue
            if rest:
                yield kind, rest

    async def _leave(self, program: Exec, about: dict[str, Any], *, over: bool) -> None:
        if not over and program.attachment is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    while not program.process and await anext(self._said(program), None) is not None:
                        pass  # without its number nothing can be sent to it
            # First of all: an engine that cannot hand on what a program has written sees no end in that container.
            program.attachment.cut()
            await self.signal(program, "SIGHUP")
            await asyncio.sleep(_GRACE_SECONDS)
            await self.signal(program, "SIGKILL")
        if program.attachment is not None:
            program.attachment.close()
        with contextlib.suppress(Failure):  # the container is gone, and the engine knows nothing of it any more
            seen = await self._engine.call(lambda client: client.exec_inspect(program.engine_id))
            program.code = program.code if seen.get("ExitCode") is None else int(seen["ExitCode"])
        self._programs.pop(program.id, None)
        with contextlib.suppress(Failure):  # its start is in the log; an end that cannot be written changes nothing
            await self._note(EventType.SANDBOX_EXEC_ENDED, program, about | {Attr.PROCESS_EXIT_CODE: program.code})

    async def _note(self, kind: EventType, program: Exec, about: dict[str, Any]) -> None:
        await self._audit.append(
            AuditEvent(type=kind, session=program.sandbox.session, actor=program.by, payload=dict(about))
        )


async def _cut_in_time(program: Exec) -> None:
    """Cut the streams of a program when its agent has ended, although somebody may be slow to read them.

    An engine that waits for them does not see that the agent has ended, and does not remove its container.
    """
    await program.sandbox.over.wait()
    if program.attachment is not None:
        program.attachment.cut()


def running_container(sandbox: Sandbox) -> str:
    """Return the container of a sandbox whose agent runs; raise Failure for one that does not yet, or no more."""
    if sandbox.container is None or not sandbox.may_start.is_set() or sandbox.ending.is_set():
        state = "ends just now" if sandbox.ending.is_set() else "has not started yet"
        message = f"The sandbox {sandbox.session} {state}, so nothing can be done in it."
        raise Failure(FailureClass.NOT_FOUND, message, boundary=Boundary.SANDBOX)
    return sandbox.container


def _about(program: Exec) -> dict[str, Any]:
    return {
        Attr.SANDBOX_EXEC: program.id,
        Attr.SANDBOX_COMMAND: [redact_text(visible(word)) for word in program.wanted.command],
    }


def _start(client: Any, container: str, program: Exec) -> None:
    wanted = program.wanted
    words = exec_creation(wanted.command, terminal=wanted.terminal, kind_of_terminal=wanted.kind_of_terminal)
    program.engine_id = str(client.exec_create(container, **words)["Id"])
    response = client.exec_start(program.engine_id, tty=wanted.terminal, socket=True)
    program.attachment = Attachment(response, terminal=wanted.terminal)
    if wanted.terminal:
        client.exec_resize(program.engine_id, wanted.rows, wanted.columns)
