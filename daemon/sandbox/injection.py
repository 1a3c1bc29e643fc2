"""Checks images that are not ours, and brings our tools into their containers by a volume of the session."""

import contextlib
from collections.abc import Mapping
from typing import Any

import docker.errors

from daemon.sandbox.container_options import ROOT
from daemon.sandbox.engine import Engine
from daemon.sandbox.foreign import ForeignImage, lacks, missing, refuse


async def checked(engine: Engine, name: str, marks: Mapping[str, str]) -> ForeignImage:
    """Return an image in which an agent can run, or raise Failure that says what it lacks."""
    image, found = await examine(engine, name, marks)
    if found:
        raise refuse(name, found)
    return image


async def examine(engine: Engine, name: str, marks: Mapping[str, str]) -> tuple[ForeignImage, list[str]]:
    """Return an image and what it lacks. Nothing of it is run."""
    machine = (await engine.describe())["architecture"]

    def look(client: Any) -> tuple[ForeignImage, list[str]]:
        try:
            image = ForeignImage.read(name, client.inspect_image(name))
        except docker.errors.NotFound:
            raise missing(name) from None
        # Files of an image can be read from a container that is never started.
        held = client.create_container(image=name, entrypoint=["/none"], command=[], labels=dict(marks))["Id"]
        try:

            def has(path: str) -> bool:
                try:
                    stream, _ = client.get_archive(held, path)
                except docker.errors.NotFound:
                    return False
                stream.close()
                return True

            return image, lacks(image, has, machine=machine)
        finally:
            client.remove_container(held, force=True, v=True)

    return await engine.call(look)


async def tools_volume(engine: Engine, ours: str, name: str, marks: Mapping[str, str]) -> str:
    """Make a volume with our tools in it: the engine copies them from our image when a container first mounts it."""

    def fill(client: Any) -> str:
        client.create_volume(name, labels=dict(marks))
        held = client.create_container(
            image=ours,
            entrypoint=["/none"],
            command=[],
            labels=dict(marks),
            host_config=client.create_host_config(binds=[f"{name}:{ROOT}:rw"], network_mode="none"),
        )["Id"]
        client.remove_container(held, force=True)
        return name

    return await engine.call(fill)


def remove_volumes(client: Any, mine: Mapping[str, Any]) -> None:
    """Remove the volumes of a session."""
    for volume in client.volumes(filters=dict(mine))["Volumes"] or []:
        with contextlib.suppress(docker.errors.NotFound):
            client.remove_volume(volume["Name"], force=True)
