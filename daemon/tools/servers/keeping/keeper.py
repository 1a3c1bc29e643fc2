"""The program that starts servers for the daemon and ends them with it. Plain Python: it imports nothing of ours.

    daemon -- requests, with descriptors --> keeper -- fork --> guardian -- fork, exec --> server --> its own children

A guardian holds one server. Every process that loses its parent below a guardian becomes the guardian's child (it is
their subreaper), also one that called setsid or forked twice. So a guardian knows all descendants of its server, and
ends them when the server has ended, when the daemon closes its side of the guardian's socket, or when the daemon or
the keeper is gone. The keeper is the subreaper of the guardians: it ends what a guardian that was killed leaves behind.

A request is four bytes of length, with four descriptors (input, output, error output, and the guardian's socket), and
then JSON: command, env, folder, and graces: how many seconds the server may take to end by itself after its input was
closed, and how many after SIGTERM, before SIGKILL comes. The keeper answers each request with one byte, so that the
daemon sees that it does not hang. The guardian writes lines of JSON to its socket: {"started": pid, "guardian": pid} or
{"failed": text}, and {"ended": status} when nothing of the server is left.

A server runs as the same user as all of these, and may stop them with SIGSTOP. So the kernel resumes the keeper when
the daemon ends, and the keeper resumes its guardians then.

macOS has no subreaper: there, the process group of the server is ended, and what has left that group stays.
"""

import contextlib
import ctypes
import errno
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

DESCRIPTORS = 4
_OPEN_FILES = 1024
"""The usual soft limit. The daemon raises its own, which would make programs slow that close every possible number."""
_LINUX = sys.platform == "linux"
_PDEATHSIG, _SUBREAPER = 1, 36
_PAUSE, _LONGEST_PAUSE = 0.01, 1.0
_RESUME_SECONDS = 0.5
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")


def main() -> int:
    """Serve the requests that come over the standard input, until it is closed and nothing is left."""
    _ask_the_kernel(_SUBREAPER, 1)
    _ask_the_kernel(_PDEATHSIG, signal.SIGCONT)
    Keeper(socket.socket(fileno=os.dup(0)), Signals()).serve()
    return 0


class Signals:
    """Wakes a poll when a child has ended, or when somebody asks this process to end."""

    def __init__(self) -> None:
        self.asked_to_end = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, self._end)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def _end(self, *_: object) -> None:
        self.asked_to_end = True

    def wait(self, others: Collection[int] = (), *, seconds: float | None = None) -> set[int]:
        """Return which of the other descriptors can be read, after a signal, the time, or one of them."""
        poll = select.poll()
        for descriptor in (self._read, *others):
            poll.register(descriptor, select.POLLIN)
        found = {number for number, _ in poll.poll(None if seconds is None else max(0, seconds * 1000))}
        if self._read in found:
            os.read(self._read, 4096)
        return found - {self._read}

    def close(self) -> None:
        """Give the descriptors back."""
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)


class Keeper:
    """Forks a guardian for each request."""

    def __init__(self, requests: socket.socket, signals: Signals) -> None:
        self._requests = requests
        self._signals = signals
        self._guardians: set[int] = set()

    def serve(self) -> None:
        """Return when no request can come any more and nothing is left."""
        takes = True
        while takes or self._guardians:
            # When the daemon is gone, a guardian that somebody stopped is resumed, again and again.
            ready = self._signals.wait(
                (self._requests.fileno(),) if takes else (), seconds=None if takes else _RESUME_SECONDS
            )
            ended = reap()
            self._guardians -= ended.keys()
            if ended:
                end_all(self._signals, group=None, keep=self._guardians, graces=())
            if self._signals.asked_to_end:
                takes = False
                for guardian in self._guardians:
                    os.kill(guardian, signal.SIGTERM)
                self._signals.asked_to_end = False
            elif ready:
                takes = self._take()
            if not takes:
                for guardian in self._guardians:
                    os.kill(guardian, signal.SIGCONT)

    def _take(self) -> bool:
        request = receive(self._requests)
        if request is None:
            return False
        said, descriptors = request
        if len(descriptors) == DESCRIPTORS:
            keeper, guardian = os.getpid(), os.fork()
            if guardian == 0:
                self._signals.close()
                self._requests.close()
                guard(said, descriptors, keeper)
            self._guardians.add(guardian)
        for descriptor in descriptors:  # a request that came with too few finds its socket closed
            os.close(descriptor)
        with contextlib.suppress(OSError):  # the daemon is gone, which the next look at its requests shows
            self._requests.send(b".")
        return True


def receive(requests: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Read one request with its descriptors; None when the daemon is gone."""
    # The flag makes them closed in whatever is executed; where it is missing, it is done just after.
    flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    descriptors: list[int] = []
    try:
        head, descriptors, _, _ = socket.recv_fds(requests, 4, DESCRIPTORS, flags)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        head = _exactly(requests, 4, head)
        said: dict[str, Any] = json.loads(_exactly(requests, int.from_bytes(head, "big"), b""))
    except (EOFError, OSError):
        for descriptor in descriptors:
            os.close(descriptor)
        return None
    return said, descriptors


def _exactly(source: socket.socket, size: int, begun: bytes) -> bytes:
    data = bytearray(begun)
    while len(data) < size:
        piece = source.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def guard(said: dict[str, Any], descriptors: Sequence[int], keeper: int) -> NoReturn:
    """Start one server, and end it and all its descendants when it is time."""
    try:
        signals = Signals()
        _ask_the_kernel(_PDEATHSIG, signal.SIGTERM)
        _ask_the_kernel(_SUBREAPER, 1)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)  # the keeper's requests are none of a guardian's
        *streams, number = descriptors
        control = socket.socket(fileno=number)
        if os.getppid() == keeper:  # else the keeper ended before the kernel was asked to say so
            try:
                server = spawn(said["command"], said["env"], said["folder"], streams)
            except ChildProcessError as problem:
                _tell(control, {"failed": str(problem)})
            else:
                for stream in streams:
                    os.close(stream)
                _tell(control, {"started": server, "guardian": os.getpid()})
                _tell(control, {"ended": _hold(server, control, signals, said["graces"])})
    finally:
        os._exit(0)


def _hold(server: int, control: socket.socket, signals: Signals, graces: Sequence[float]) -> int | None:
    """Wait until it is time, end everything, and return how the server ended."""
    status: int | None = None
    stopped = False
    while status is None and not stopped and not signals.asked_to_end:
        stopped = bool(signals.wait((control.fileno(),)))
        status = reap().get(server)
    if status is not None or not stopped:
        graces = (0.0, *graces[1:])  # nobody closed its input, or it has ended, and only what it left is still there
    found = end_all(signals, group=server, keep=(), graces=graces).get(server)
    return found if status is None else status


def reap() -> dict[int, int]:
    """Take leave of every child that has ended; return how, by process id."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def end_all(signals: Signals, *, group: int | None, keep: Collection[int], graces: Sequence[float]) -> dict[int, int]:
    """End every descendant but those to keep, and return how those ended that were children.

    `graces` is how long they may take: by themselves, and after SIGTERM. Then SIGKILL, again and again, until none is
    left: what a killed process leaves behind becomes a child of this one, and is found in the next round.
    """
    ended: dict[int, int] = {}
    for number, grace in enumerate(graces):
        if number:
            _send(signal.SIGTERM, left(group, keep), group)
        until = time.monotonic() + grace
        while (rest := until - time.monotonic()) > 0:
            ended |= reap()
            if not left(group, keep):
                return ended
            signals.wait(seconds=min(rest, 0.1))  # a grandchild that ends sends no signal here
    pause = _PAUSE
    while True:
        ended |= reap()
        if not (remaining := left(group, keep)):
            return ended
        _send(signal.SIGKILL, remaining, group)
        signals.wait(seconds=pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE)  # one that runs as somebody else cannot be killed; wait for its end


def left(group: int | None, keep: Collection[int]) -> list[int]:
    """Return the descendants that there are, without those to keep and what is below them."""
    if not _LINUX:
        return [group] if group is not None and _has_members(group) else []
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - this runs often, and a Path for each name is not needed
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_text(errors="replace")
            except OSError:
                continue  # it has ended
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(name))
    found = [child for child in children.get(os.getpid(), []) if child not in keep]
    for pid in found:
        found += children.get(pid, [])
    return found


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _send(number: int, processes: Sequence[int], group: int | None) -> None:
    for pid in processes:
        try:
            if _LINUX:
                os.kill(pid, number)
            elif group is not None:
                os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            continue


def spawn(command: Sequence[str], env: dict[str, str], folder: str, streams: Sequence[int]) -> int:
    """Start a program in a session of its own; raises ChildProcessError that says why it could not be started."""
    read, write = os.pipe()
    guardian, pid = os.getpid(), os.fork()
    if pid == 0:
        _become(command, env, folder, streams, write, guardian)
    os.close(write)
    with os.fdopen(read, "rb") as problems:
        problem = problems.read()  # it ends without a word when the program was executed
    if problem:
        os.waitpid(pid, 0)
        raise ChildProcessError(problem.decode(errors="replace"))
    return pid


def _become(
    command: Sequence[str], env: dict[str, str], folder: str, streams: Sequence[int], problems: int, guardian: int
) -> NoReturn:
    what = "its process cannot be made"
    try:
        os.setsid()
        _ask_the_kernel(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:
            os._exit(1)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for name in _IGNORED_BY_PYTHON:
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        soft = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        what = f"the folder {folder} cannot be entered"
        os.chdir(folder)
        what = f"the program {command[0]} cannot be started"
        _execute(command, env)
    except BaseException as problem:  # noqa: BLE001 - whatever it is, the other side must hear of it
        why = getattr(problem, "strerror", None) or type(problem).__name__
        os.write(problems, f"{what}: {why}".encode(errors="replace")[:4096])
    finally:
        os._exit(127)


def _execute(command: Sequence[str], env: dict[str, str]) -> NoReturn:
    try:
        os.execvpe(command[0], list(command), env)  # noqa: S606 - a shell is not wanted
    except OSError as problem:
        raise OSError(problem.errno, _why_not(command[0], problem, env)) from problem


def _why_not(program: str, problem: OSError, env: dict[str, str]) -> str:
    """Say why a program cannot be executed, where the words of the system leave a person alone."""
    if problem.errno == errno.ENOEXEC:
        return "it is no program for this machine. A script begins with a line such as #!/usr/bin/env python3"
    if problem.errno != errno.ENOENT:
        return str(problem.strerror)
    named = "/" in program
    folders = [""] if named else env.get("PATH", os.defpath).split(os.pathsep)
    if any(os.access(os.path.join(folder, program), os.X_OK) for folder in folders):  # noqa: PTH118 - no pathlib here
        return "it is there, but not the program that its first line names, behind #!. Install it anew"
    if not named:
        return "it is in no folder of the PATH that the daemon was started with. Write the whole path of the program"
    if program.startswith("/"):
        return str(problem.strerror)
    return f"it is not in the folder where the server works, {Path.cwd()}. Write its whole path, or set the folder"


def _tell(control: socket.socket, said: dict[str, Any]) -> None:
    try:
        control.sendall(json.dumps(said).encode() + b"\n")
    except OSError:
        return  # the daemon is gone


def _ask_the_kernel(option: int, value: int) -> None:
    if _LINUX and _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


_LIBC: Any = ctypes.CDLL(None, use_errno=True)

if __name__ == "__main__":
    sys.exit(main())
