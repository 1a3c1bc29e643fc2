"""The images agents run in: known by the hash of what they are made from, built when that changes, and removed."""

import contextlib
import hashlib
import io
import os
import tarfile
import time
import tomllib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import docker.errors

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox.engine import Engine
from daemon.sandbox.image_builds import BuildStream, Downloads, SharedBuilds, step_of
from daemon.version import VERSION
from daemon.workspaces.layers.opening import Opened

REPOSITORY = "aileron-sandbox"
_OWN = "aileron-own"
_LABEL = "io.aileron.agent"
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_SHOWN_LINES = 40
_BUILD_CA = "build-ca.pem"
_DOWNLOAD_SECONDS = 0.5
"""How often it is told how far a download is."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One agent as it is pinned."""

    agent: str
    version: str
    tag: str

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the version as numbers."""
        return tuple(int(part) for part in self.version.split("."))


class Images:
    """Knows, builds and removes our images."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._content = _content()
        self._pinned: dict[str, Any] = tomllib.loads(self._content["agents.toml"].decode())
        self._builds = SharedBuilds()

    @property
    def agents(self) -> tuple[str, ...]:
        """Return the agents there can be an image of."""
        return tuple(self._pinned)

    def pin(self, agent: str) -> Pin:
        """Return what is pinned for an agent."""
        pinned = self._pinned[agent]
        digest = hashlib.sha256(f"{agent} {VERSION} {sorted(pinned.items())!r}".encode())
        for name, content in sorted(self._content.items()):
            if name != "agents.toml":
                digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
        return Pin(agent, str(pinned["version"]), f"{REPOSITORY}-{agent}:{digest.hexdigest()[:16]}")

    def _is_pinned(self, agent: str, machine: str) -> bool:
        return all({"any", machine} & package["integrity"].keys() for package in self._pinned[agent]["packages"])

    async def is_there(self, tag: str) -> bool:
        """Say whether an image can be used at once."""

        def look(client: Any) -> bool:
            try:
                client.inspect_image(tag)
            except docker.errors.NotFound:
                return False
            return True

        return await self._engine.call(look)

    async def images(self) -> list[dict[str, Any]]:
        """Return our images, current and old."""
        wanted = {"label": _LABEL}
        images = await self._engine.call(lambda client: client.images(filters=wanted))
        current = {self.pin(agent).tag for agent in self.agents}
        return [
            {
                "id": image["Id"],
                "agent": image["Labels"].get(_LABEL, "?"),
                "version": image["Labels"].get("io.aileron.agent.version", "?"),
                "tag": tag,
                "current": tag in current,
                "bytes": image["Size"],
                "created": image["Created"],
            }
            for image in images
            for tag in image.get("RepoTags") or ["<none>"]
        ]

    async def prune(self, *, everything: bool) -> list[str]:
        """Remove the images that no launch would use any more, or all of ours."""
        removed = []
        for image in await self.images():
            if everything or not image["current"]:
                tag = image["tag"]
                await self._engine.call(lambda client, tag=tag: client.remove_image(tag))  # type: ignore[misc]
                removed.append(tag)
        return removed

    async def build(self, agent: str, *, build_ca: Path | None) -> AsyncGenerator[dict[str, Any], None]:
        """Build the image of an agent, saying what happens; the last thing said is its tag, or what went wrong.

        Whoever asks while it is being built follows that build from its beginning, and no second one begins.
        """
        engine = await self._engine.usable()
        machine = engine["architecture"]
        if not self._is_pinned(agent, machine):
            others = ", ".join(each for each in self.agents if self._is_pinned(each, machine))
            message = f"{agent} is not pinned for {machine}, on which this engine runs; these are: {others or 'none'}."
            raise Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.SANDBOX)
        pin, bundle = self.pin(agent), _bundle(build_ca)
        async with contextlib.aclosing(self._builds.follow(pin.tag, lambda: self._build(pin, bundle))) as told:
            async for each in told:
                yield each

    async def _build(self, pin: Pin, bundle: bytes) -> AsyncGenerator[dict[str, Any], None]:
        if await self.is_there(pin.tag):
            yield {"done": pin.tag, "built": False}
            return
        began = time.monotonic()
        arguments = {"AGENT": pin.agent, "AGENT_VERSION": pin.version, "AILERON_VERSION": VERSION}
        described = {
            "fileobj": self._context(bundle),
            "custom_context": True,
            "tag": pin.tag,
            "buildargs": {**arguments, **_proxies()},
        }
        async with contextlib.aclosing(self._told(described, what=f"The image of {pin.agent}")) as told:
            async for each in told:
                yield each
                if "error" in each:
                    return
        size = (await self._engine.call(lambda client: client.inspect_image(pin.tag)))["Size"]
        yield {"done": pin.tag, "built": True, "bytes": size, "seconds": round(time.monotonic() - began, 1)}

    async def build_own(
        self, context: Path, dockerfile: Path, arguments: Mapping[str, str], *, opened: Callable[[], Opened]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Build an image from somebody's own Dockerfile; what has not changed is not built again by the engine.

        `opened` opens and checks the context when the build begins. What it returns is read, whatever has the name of
        the context by then, and is closed at the end. While another build of it is under way, that one is shown, and
        then the engine has most of this one already.
        """
        digest = hashlib.sha256(f"{context} {dockerfile} {sorted(arguments.items())}".encode()).hexdigest()[:16]
        tag = f"{_OWN}:{digest}"
        described = {
            "dockerfile": str(dockerfile.relative_to(context)),
            "tag": tag,
            "buildargs": {**arguments, **_proxies()},
        }
        build = self._builds.in_turn(tag, lambda: self._build_own(tag, described, opened, what=str(dockerfile)))
        async with contextlib.aclosing(build) as told:
            async for each in told:
                yield each

    async def _build_own(
        self, tag: str, described: Mapping[str, Any], opened: Callable[[], Opened], *, what: str
    ) -> AsyncGenerator[dict[str, Any], None]:
        try:
            context = opened()
        except Failure as failure:
            yield {"error": failure.message, "output": []}
            return
        with context:
            reading = {**described, "path": context.to_read}
            async with contextlib.aclosing(self._told(reading, what=what)) as told:
                async for each in told:
                    yield each
                    if "error" in each:
                        return
        yield {"done": tag, "built": True}

    async def _told(self, described: Mapping[str, Any], *, what: str) -> AsyncGenerator[dict[str, Any], None]:
        """Hand on what the engine says while it builds: steps, lines, downloads, or at last an error."""
        last: deque[str] = deque(maxlen=_SHOWN_LINES)
        downloads, shown_at = Downloads(), 0.0
        async with contextlib.aclosing(BuildStream(self._engine, described).messages()) as messages:
            async for said in messages:
                if "error" in said:
                    yield {"error": f"{what} could not be built: {said['error'].strip()}", "output": list(last)}
                    return
                download = downloads.take(said)
                if download is not None:
                    if time.monotonic() - shown_at >= _DOWNLOAD_SECONDS:
                        shown_at = time.monotonic()
                        yield download
                    continue
                text = str(said.get("stream") or said.get("status") or "").rstrip()
                if text:
                    last.append(text)
                    yield {"text": text, **step_of(text)}

    def _context(self, bundle: bytes) -> io.BytesIO:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            # The engine knows what it has built by contents and times, so the times are always the same.
            for name, content in sorted({**self._content, _BUILD_CA: bundle}.items()):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                member.mode = 0o644
                archive.addfile(member, io.BytesIO(content))
        packed.seek(0)
        return packed


def _proxies() -> dict[str, str]:
    return {name: os.environ[name] for name in _PROXIES if name in os.environ}


def _content() -> dict[str, bytes]:
    """Return what an image is made from, by its place in the context."""
    content = dict(_walk(files("sandbox_image"), ""))
    # The package alone: a checkout also has the files that make a distribution of it, and the image must be the same.
    beside_agent = _walk(files("aileron_mcp"), "aileron_mcp/")
    return content | {name: text for name, text in beside_agent if name.endswith((".py", "/py.typed"))}


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.is_file() and not entry.name.endswith((".pyc", ".in")):
            yield f"{prefix}{entry.name}", entry.read_bytes()


def _bundle(named: Path | None) -> bytes:
    """Return whom a build must trust beside the public authorities: what was named, or what this machine trusts."""
    if named is not None:
        try:
            return named.read_bytes()
        except OSError as problem:
            message = f"{named} cannot be read: {problem.strerror}"
            raise Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER) from problem
    places = [os.environ[name] for name in _BUNDLE_VARIABLES if os.environ.get(name)]
    for place in (*places, *_BUNDLES):
        try:
            return Path(place).read_bytes()
        except OSError:
            continue
    return b""
