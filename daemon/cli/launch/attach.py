"""Connects the person's streams, or terminal, with those of a program in a container, through the daemon."""

import contextlib
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from daemon.base.files import write_all
from daemon.cli.failure import CliFailure
from daemon.cli.launch import terminal
from daemon.cli.launch.screen import Screen

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

_TOLD, _STDOUT, _STDERR, _END = 0, 1, 2, 3
LEAVE = b"\x1d"
"""Ctrl-], typed by itself: somebody who has joined leaves, and the agent goes on."""
_PIECE = 32768
_STOP_SECONDS = 5.0
_FORWARDED = {
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "SIGHUP",
    signal.SIGUSR1: "SIGUSR1",
    signal.SIGUSR2: "SIGUSR2",
    signal.SIGINT: "SIGINT",
    signal.SIGQUIT: "SIGQUIT",
}


def attach(client: "ControlClient", sandbox: str, *, raw: bool) -> dict[str, Any]:
    """Carry everything both ways until the agent ends; return how it ended."""
    path = f"/v1/sandboxes/{sandbox}"
    with contextlib.ExitStack() as held:
        held.enter_context(terminal.lent_terminal(raw=raw))
        if raw:
            held.enter_context(_following_size(client, path, {}))
        held.enter_context(_signals(client, path))
        held.enter_context(_carried_input(client, path))
        return show(client.pieces(f"{path}/output"))


def run_beside(client: "ControlClient", sandbox: str, body: Mapping[str, Any], *, raw: bool) -> dict[str, Any]:
    """Run a program beside an agent, and carry everything both ways until it ends; return how it ended."""
    at = f"/v1/sandboxes/{sandbox}/execs"
    pieces = client.pieces(at, body=body)
    kind, told = next(pieces, (_END, b"{}"))
    if kind != _TOLD:
        return show(iter([(kind, told)]))
    path = f"{at}/{json.loads(told)['program']}"
    with contextlib.ExitStack() as held:
        held.enter_context(terminal.lent_terminal(raw=raw))
        if raw:
            held.enter_context(_following_size(client, path, {}))
        held.enter_context(_signals(client, path))
        held.enter_context(_carried_input(client, path))
        return show(pieces)


def join(client: "ControlClient", sandbox: str, *, raw: bool) -> dict[str, Any] | None:
    """See what an agent writes, and type to it, beside its launcher; return how it ended, or None for who leaves."""
    path, joined = f"/v1/sandboxes/{sandbox}", {"launcher": False}
    with contextlib.ExitStack() as held:
        held.enter_context(terminal.lent_terminal(raw=raw))
        if raw:
            columns, rows = terminal.size()
            client.post(f"{path}/size", body={"columns": columns, "rows": rows, **joined})
            held.enter_context(_following_size(client, path, joined))
        held.enter_context(_carried_input(client, path, joined=True))
        try:
            return show(client.pieces(f"{path}/attach", body={}))
        except KeyboardInterrupt:
            return None


def show(pieces: Iterator[tuple[int, bytes]]) -> dict[str, Any]:
    """Write what comes to where it belongs, until its end; return how it ended."""
    screens = {_STDOUT: _writer(1), _STDERR: _writer(2)}
    for kind, piece in pieces:
        if kind == _END:
            outcome: dict[str, Any] = json.loads(piece)
            return outcome
        screens[kind](piece)
    raise CliFailure(
        "the daemon went away, and the sandbox with it",
        remedy="Look at its log: aileron status; what was under way is in: aileron audit list",
    )


def _writer(descriptor: int) -> Callable[[bytes], None]:
    screen = Screen() if os.isatty(descriptor) else None

    def write(piece: bytes) -> None:
        write_all(descriptor, piece if screen is None else screen.show(piece))

    return write


@contextlib.contextmanager
def _carried_input(client: "ControlClient", path: str, *, joined: bool = False) -> Iterator[None]:
    """Carry what is typed to the agent, and nothing once it has ended: the next line may answer a question of ours.

    Somebody who has `joined` leaves with Ctrl-], and the end of their input is not the end of the agent's.
    """
    stopped, stop = os.pipe()
    thread = threading.Thread(target=_carry_input, args=(client, path, stopped, joined), daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(stop)
        thread.join(_STOP_SECONDS)
        os.close(stopped)


def _carry_input(client: "ControlClient", path: str, stopped: int, joined: bool) -> None:
    with contextlib.suppress(CliFailure, OSError):  # the agent has ended, and with it all of this
        while True:
            ready, _, _ = select.select([0, stopped], [], [])
            if stopped in ready:
                return
            piece = os.read(0, _PIECE)
            if joined and piece == LEAVE:
                os.kill(os.getpid(), signal.SIGINT)  # the main thread waits for output, and this wakes it
                return
            if not piece:
                if not joined:
                    client.post_bytes(f"{path}/input?end=true", b"")
                return
            client.post_bytes(f"{path}/input", piece)


@contextlib.contextmanager
def _following_size(client: "ControlClient", path: str, more: Mapping[str, Any]) -> Iterator[None]:
    changed = threading.Event()
    over = threading.Event()

    def follow() -> None:
        while not over.is_set():
            changed.wait()
            changed.clear()
            if not over.is_set():
                columns, rows = terminal.size()
                with contextlib.suppress(CliFailure):
                    client.post(f"{path}/size", body={"columns": columns, "rows": rows, **more})

    before = signal.signal(signal.SIGWINCH, lambda *_: changed.set())
    threading.Thread(target=follow, daemon=True).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
        over.set()
        changed.set()


@contextlib.contextmanager
def _signals(client: "ControlClient", path: str) -> Iterator[None]:
    def forward(number: int, _: FrameType | None) -> None:
        name = _FORWARDED[signal.Signals(number)]

        def send() -> None:
            with contextlib.suppress(CliFailure):
                client.post(f"{path}/signal", body={"signal": name})

        # Not here: the main thread may be in the middle of a request of its own.
        threading.Thread(target=send, daemon=True).start()

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        yield
    finally:
        sys.stdout.flush()
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
