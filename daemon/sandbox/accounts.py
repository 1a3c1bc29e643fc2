"""The users and groups that a container knows: those of its image, and the agent's own, which no image can know.

An agent has the number of the person who owns the folder. Without an entry for that number `whoami` fails, and so does
every program that asks for its own user, such as Node's `os.userInfo()`. The image is read-only, so a copy of its files
with one more line is mounted over them.
"""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker.errors

from daemon.base.files import replace_file
from daemon.sandbox.container_options import HOME
from daemon.sandbox.engine import Engine
from daemon.sandbox.user import YOU_WHEN_ROOTLESS

NAME = "agent"
_PASSWD, _GROUP = "/etc/passwd", "/etc/group"
_MOST_BYTES = 1024**2
_MOST_IMAGES = 32
_READABLE = 0o644
"""Whoever runs inside may read these files, as on every machine."""


def passwd_with_agent(text: str, uid: int, gid: int) -> str:
    """Return the users of an image with the agent among them; whoever had its number or its name makes room."""
    others = [line for line in text.split("\n") if line and not _is(line, uid)]
    return "\n".join([*others, f"{NAME}:x:{uid}:{gid}:{NAME}:{HOME}:/bin/sh"]) + "\n"


def group_with_agent(text: str, gid: int) -> str:
    """Return the groups of an image with the agent's; one that has its number already stays, under its own name."""
    lines = [line for line in text.split("\n") if line]
    if not any(line.split(":")[2:3] == [str(gid)] for line in lines):
        lines = [*(line for line in lines if line.split(":")[0] != NAME), f"{NAME}:x:{gid}:"]
    return "\n".join(lines) + "\n"


def _is(line: str, uid: int) -> bool:
    fields = line.split(":")
    return fields[0] == NAME or fields[2:3] == [str(uid)]


class Accounts:
    """Reads the files of images, each image once, and writes those of a sandbox."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, Mapping[str, str]] = {}

    async def write(self, image: str, user: str, folder: Path, marks: Mapping[str, str]) -> dict[str, str]:
        """Write the files for a user into a folder; return where each is to be mounted, by its place on this machine.

        In a rootless engine the agent is that engine's root, whom every image knows, so nothing is written.
        """
        if user == YOU_WHEN_ROOTLESS:
            return {}
        uid, _, gid = user.partition(":")
        there = await self._engine.call(lambda client: self._read(client, image, marks))
        texts = {
            _PASSWD: passwd_with_agent(there[_PASSWD], int(uid), int(gid)),
            _GROUP: group_with_agent(there[_GROUP], int(gid)),
        }
        written = {}
        for inside, text in texts.items():
            path = folder / Path(inside).name
            replace_file(path, text.encode(errors="surrogateescape"), mode=_READABLE, durable=False)
            written[str(path)] = inside
        return written

    def _read(self, client: Any, image: str, marks: Mapping[str, str]) -> Mapping[str, str]:
        number = str(client.inspect_image(image)["Id"])
        known = self._known.get(number)
        if known is None:
            known = _read_files(client, image, marks)
            while len(self._known) >= _MOST_IMAGES:
                self._known.pop(next(iter(self._known)))
            self._known[number] = known
        return known


def _read_files(client: Any, image: str, marks: Mapping[str, str]) -> Mapping[str, str]:
    # Files of an image can be read from a container that is never started.
    held = client.create_container(image=image, entrypoint=["/none"], command=[], labels=dict(marks))["Id"]
    try:
        return {path: _read_file(client, held, path) for path in (_PASSWD, _GROUP)}
    finally:
        client.remove_container(held, force=True, v=True)


def _read_file(client: Any, container: str, path: str) -> str:
    """Return the text of a file, or none if there is no regular file of a usual size."""
    try:
        stream, _ = client.get_archive(container, path)
    except docker.errors.NotFound:
        return ""
    packed = b""
    for piece in stream:
        packed += piece
        if len(packed) > _MOST_BYTES:
            return ""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        member = archive.next()
        file = None if member is None else archive.extractfile(member) if member.isfile() else None
        return "" if file is None else file.read().decode(errors="surrogateescape")
