"""Other people's images: what one must have for an agent to run in it, and how our tools come into it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox.container_options import ROOT

_GLIBC = {"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}
_MUSL = {"amd64": "/lib/ld-musl-x86_64.so.1", "arm64": "/lib/ld-musl-aarch64.so.1"}
_OURS = {"x86_64": "amd64", "aarch64": "arm64"}
_SHELL = "/bin/sh"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class ForeignImage:
    """What the engine knows of an image."""

    name: str
    architecture: str
    system: str
    variables: Mapping[str, str]

    @classmethod
    def read(cls, name: str, inspected: Mapping[str, Any]) -> "ForeignImage":
        """Read what the engine says."""
        pairs = [variable.partition("=") for variable in inspected["Config"].get("Env") or []]
        return cls(
            name,
            str(inspected.get("Architecture", "?")),
            str(inspected.get("Os", "?")),
            {key: value for key, _, value in pairs},
        )

    @property
    def path(self) -> str:
        """Return where programs are looked for: ours first, then the image's own."""
        return f"{ROOT}/bin:{self.variables.get('PATH', _PATH)}"


def lacks(image: ForeignImage, has: Callable[[str], bool], *, machine: str = "x86_64") -> list[str]:
    """Return in sentences what an image lacks; nothing if an agent can run in it on this kind of machine."""
    found = []
    ours = _OURS.get(machine, machine)
    if (image.system, image.architecture) != ("linux", ours) or ours not in _GLIBC:
        found.append(f"It is built for {image.system}/{image.architecture}, and the agents for linux/{ours}.")
    elif not has(_GLIBC[ours]):
        if has(_MUSL[ours]):
            found.append(
                "It is built on musl, as Alpine is, and the agents need glibc. "
                "Take an image based on Debian, Ubuntu or Fedora."
            )
        else:
            found.append(f"It has no C library: there is no {_GLIBC[ours]}, and the agents need glibc.")
    if not has(_SHELL):
        found.append("It has no shell at /bin/sh, and the agents run everything through one.")
    return found


def refuse(image: str, found: list[str]) -> Failure:
    """Say what an image lacks."""
    message = f"The image {image} cannot be a sandbox. {' '.join(found)}"
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.SANDBOX)


def missing(image: str) -> Failure:
    """Say that an image is not there."""
    message = f"The engine has no image {image}. Get it: docker pull {image}"
    return Failure(FailureClass.NOT_FOUND, message, boundary=Boundary.SANDBOX)
