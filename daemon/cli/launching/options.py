"""What a person asked of a launch into a container."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What the person asked for."""

    folder: Path
    label: str = ""
    devcontainer: bool = False
    image: str | None = None
    program: str | None = None
    network: str = "internal"
    variables: Sequence[str] = ()
    user: str | None = None
    memory: str | None = None
    cpus: float | None = None
    seconds: float | None = None
    build_ca: Path | None = None
    workspace: str = "auto"
    """How the agent has the folder: auto, copy or live."""
    resume: str | None = None
    """A session that ended, whose work goes on."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
