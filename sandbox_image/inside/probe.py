"""Proves from the inside that nothing but the daemon can be reached; run before the agent."""

import errno
import os
import socket
import threading

_SECONDS = 1.5
_ELSEWHERE = (
    ("a public address", socket.AF_INET, socket.SOCK_STREAM, ("1.1.1.1", 443)),
    ("a public address over IPv6", socket.AF_INET6, socket.SOCK_STREAM, ("2606:4700:4700::1111", 443)),
    ("a name server", socket.AF_INET, socket.SOCK_DGRAM, ("8.8.8.8", 53)),
    ("the metadata service", socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80)),
    ("the container's name server", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.11", 53)),
)
_QUESTION = b"\x13\x37\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"


def run(start: dict) -> dict:
    """Return every finding by name: None where it is as it must be, otherwise what is wrong."""
    places = list(_ELSEWHERE)
    places.append(
        ("another port of the host", socket.AF_INET, socket.SOCK_STREAM, (start["address"], start["closed_port"]))
    )
    findings: dict[str, str | None] = {}

    def look(name: str, family: int, kind: int, place: tuple) -> None:
        findings[name] = reached(family, kind, place)

    if start["network"] != "open":
        threads = [threading.Thread(target=look, args=place) for place in places]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    findings["capabilities"] = capabilities()
    findings["new privileges"] = new_privileges()
    # In a rootless engine its root is the person who runs it, with no right that they have not.
    root = (os.getuid() == 0 or os.geteuid() == 0) and not start["root_is_you"]
    findings["root"] = "the agent would be root" if root else None
    findings["the root file system"] = writable("/")
    findings["the Docker socket"] = next(
        (f"{path} is here" for path in ("/var/run/docker.sock", "/run/docker.sock") if os.path.exists(path)), None
    )
    findings["the process that ends the sandbox"] = within_reach(1)
    for path in start["protected"]:
        findings[f"{path} is read-only"] = writable(path)
    return findings


def reached(family: int, kind: int, place: tuple) -> str | None:
    """Say how a place was reached, if it was."""
    try:
        with socket.socket(family, kind) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(place)
            if kind == socket.SOCK_STREAM:
                return f"{place[0]} port {place[1]} answered"
            connection.send(_QUESTION)
            connection.recv(512)
            return f"{place[0]} port {place[1]} answered a question"
    except OSError:
        return None


def capabilities() -> str | None:
    """Say which capabilities are left."""
    with open("/proc/self/status", encoding="ascii") as status:
        sets = dict(line.split(":\t") for line in status.read().splitlines() if line.startswith("Cap"))
    left = {name: value for name, value in sets.items() if int(value, 16)}
    return f"there are some: {left}" if left else None


def new_privileges() -> str | None:
    """Say if programs could gain privileges."""
    with open("/proc/self/status", encoding="ascii") as status:
        return None if "NoNewPrivs:\t1" in status.read() else "programs may gain some"


def within_reach(process: int) -> str | None:
    """Say if a process belongs to this container, or could be signalled from it."""
    if process == os.getpid():
        return "it is in the agent's own container"
    try:
        os.kill(process, 0)
    except PermissionError:
        return None
    return "the agent could signal it"


def writable(path: str) -> str | None:
    """Say if something can be written at a path."""
    trial = os.path.join(path, ".aileron-probe") if os.path.isdir(path) else path
    try:
        os.close(os.open(trial, os.O_WRONLY | (os.O_CREAT | os.O_EXCL if trial != path else 0)))
    except OSError as problem:
        return None if problem.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT) else str(problem)
    if trial != path:
        os.unlink(trial)
    return "it can be written"
