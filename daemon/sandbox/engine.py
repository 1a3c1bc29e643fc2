"""The connection to the Docker engine. Calls run on its own threads, and its errors become failures with a remedy."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import docker
import docker.errors
import requests

from daemon.base.platform import docker_socket
from daemon.core.failures import Boundary, Failure, FailureClass

T = TypeVar("T")
_THREADS = 16
_ENGINE_SECONDS = 120
_OLDEST_API = (1, 41)
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Some engines say what Go calls a processor, and others what the kernel does."""
_LIMITS = {"memory": "MemoryLimit", "processors": "CpuCfsQuota", "processes": "PidsLimit"}
"""What an engine says of the limits that it can keep; a rootless one often cannot."""


class Engine:
    """Owns the connection: one for each daemon, opened when it is first needed."""

    def __init__(self, *, socket: str | None) -> None:
        self._socket = socket
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="aileron-docker")
        self._client: docker.APIClient | None = None
        self._described: dict[str, Any] | None = None

    async def call(self, work: Callable[[docker.APIClient], T]) -> T:
        """Run something on the engine; raise Failure when there is none or it refuses."""

        def run() -> T:
            try:
                return work(self._connected())
            except docker.errors.APIError as problem:
                raise refusal(problem) from problem
            except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as problem:
                self._client = self._described = None
                raise no_engine(problem, self._socket) from problem

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    @property
    def socket_path(self) -> Path:
        """Return where the engine's socket is in the file system; the usual place, if it is asked over a network."""
        return docker_socket(self._socket, os.environ)

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def describe(self) -> dict[str, Any]:
        """Return what kind of engine it is: its version, whether it is rootless, and whether it runs in a machine."""
        if self._described is not None:
            return self._described  # an engine does not change while the connection lasts
        said, version = await self.call(lambda client: (client.info(), client.version()))
        parts = {str(part.get("Name", "")) for part in version.get("Components") or []}
        options = " ".join(said.get("SecurityOptions") or [])
        system = str(said.get("OperatingSystem", ""))
        self._described = {
            "version": said.get("ServerVersion", "?"),
            "system": system,
            "rootless": "rootless" in options,
            "desktop": "Docker Desktop" in system,
            "podman": "Podman Engine" in parts,
            "without_limits": [name for name, key in _LIMITS.items() if not said.get(key, True)],
            "architecture": _MACHINES.get(said.get("Architecture", "?"), said.get("Architecture", "?")),
        }
        return self._described

    async def usable(self) -> dict[str, Any]:
        """Describe an engine that sandboxes run in, or raise Failure."""
        described = await self.describe()
        if described["podman"]:
            raise Failure(
                FailureClass.INVALID_ARGUMENTS,
                "This is Podman behind Docker's socket, and sandboxes need a Docker engine: what keeps an agent in was "
                "proved with that one only. Install Docker Engine, or launch without --sandbox.",
                boundary=Boundary.SANDBOX,
            )
        return described

    def _connected(self) -> docker.APIClient:
        if self._client is None:
            base = f"unix://{self._socket}" if self._socket else os.environ.get("DOCKER_HOST")
            client = docker.APIClient(base_url=base, version="auto", timeout=_ENGINE_SECONDS)
            version = tuple(int(part) for part in str(client.api_version).split("."))
            if version < _OLDEST_API:
                raise docker.errors.DockerException(f"its API is {client.api_version}, and 1.41 (20.10) is needed")
            self._client = client
        return self._client


def no_engine(problem: Exception, socket: str | None) -> Failure:
    """Say that there is no engine, and how to get one."""
    text = str(problem)
    if "Permission denied" in text or "PermissionError" in text:
        why = "The Docker engine does not let you in. Join its group (sudo usermod -aG docker $USER, then log in anew)"
    elif "its API is" in text:
        why = f"The Docker engine is too old: {text.partition('its API is')[2].strip()}. Install a newer one"
    else:
        place = socket or os.environ.get("DOCKER_HOST") or docker_socket(None, {})
        why = f"There is no Docker engine at {place}. Install Docker Engine or start it (sudo systemctl start docker)"
    return Failure(FailureClass.NOT_FOUND, f"{why}, or launch without --sandbox.", boundary=Boundary.SANDBOX)


def refusal(problem: docker.errors.APIError) -> Failure:
    """Say what the engine refused to do."""
    said = cast("str", problem.explanation or str(problem))
    kind = FailureClass.NOT_FOUND if problem.status_code == 404 else FailureClass.INTERNAL_ERROR
    return Failure(kind, f"The Docker engine refuses: {said.strip()}", boundary=Boundary.SANDBOX)
