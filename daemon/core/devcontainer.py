"""devcontainer.json as far as a sandbox obeys it: the image, how it is built, variables, our own settings. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from daemon.core.failures import DocumentError
from daemon.core.jsonc import read_jsonc
from daemon.core.launch_request import NetworkReach

_VARIABLE = re.compile(r"\$\{([A-Za-z]+)(?::([^:}]*)(?::([^}]*))?)?\}")
_OURS = frozenset({"network", "memory", "cpus", "timeout"})
_NOT_OBEYED = (
    "features",
    "forwardPorts",
    "initializeCommand",
    "mounts",
    "onCreateCommand",
    "postAttachCommand",
    "postCreateCommand",
    "postStartCommand",
    "runArgs",
    "updateContentCommand",
    "workspaceFolder",
    "workspaceMount",
)
"""They start things, mount things or open things; a sandbox does none of that for a file of the workspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevContainer:
    """What a folder says of the container it wants to be worked on in."""

    image: str | None
    dockerfile: str | None
    """Below the folder of the file."""
    context: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    remote_user: str | None = None
    network: NetworkReach = "internal"
    settings: Mapping[str, str] = field(default_factory=dict)
    """What stands under customizations.aileron."""
    not_obeyed: tuple[str, ...] = ()


def read_devcontainer(text: str, *, file: str, environ: Mapping[str, str], workspace: str) -> DevContainer:
    """Read the file, or raise DocumentError with what is wrong and what would be right."""
    try:
        value = read_jsonc(text)
    except ValueError as problem:
        raise _wrong(file, f"It is not JSON: {problem}.", "Mend it; comments and trailing commas are fine.") from None
    if not isinstance(value, dict):
        raise _wrong(file, "It is not an object.", 'Begin with {"image": "..."}.')
    if "dockerComposeFile" in value:
        raise _wrong(file, "It names a compose file.", "A sandbox is one container: name an image or a Dockerfile.")
    build = value.get("build") or {}
    if not isinstance(build, dict):
        raise _wrong(file, "`build` is not an object.", 'Write {"build": {"dockerfile": "Dockerfile"}}.')
    known = {"localWorkspaceFolder": workspace, "containerWorkspaceFolder": "/workspace"}

    def filled(words: str) -> str:
        def one(found: re.Match[str]) -> str:
            kind, name, default = found.groups()
            if kind == "localEnv" and name:
                return environ.get(name, default or "")
            if kind in known:
                return known[kind]
            raise _wrong(file, f"{found[0]} is not known here.", "Known: ${localEnv:NAME}, ${localWorkspaceFolder}.")

        return _VARIABLE.sub(one, words)

    def words(where: str, found: Any) -> dict[str, str]:
        if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
            raise _wrong(file, f"`{where}` is not an object of texts.", f'Write {{"{where}": {{"NAME": "value"}}}}.')
        return {name: filled(each) for name, each in found.items()}

    image, dockerfile = value.get("image"), build.get("dockerfile", value.get("dockerFile"))
    if not isinstance(image, str) and not isinstance(dockerfile, str):
        raise _wrong(file, "It names neither an image nor a Dockerfile.", 'Write {"image": "debian:bookworm-slim"}.')
    custom = value.get("customizations") or {}
    settings = words("customizations.aileron", custom.get("aileron") or {} if isinstance(custom, dict) else custom)
    if unknown := sorted(settings.keys() - _OURS):
        raise _wrong(file, f"`{unknown[0]}` is not a setting of ours.", f"Settings: {', '.join(sorted(_OURS))}.")
    if "cpus" in settings and not re.fullmatch(r"\d+(\.\d+)?", settings["cpus"]):
        raise _wrong(file, f"`cpus` is {settings['cpus']!r}.", 'Write a number as a text: "2" or "1.5".')
    network = settings.get("network", "internal")
    if network not in get_args(NetworkReach):
        raise _wrong(file, f"`network` is {settings['network']!r}.", 'Write "internal" or "open".')
    user = value.get("remoteUser")
    return DevContainer(
        image=filled(image) if isinstance(image, str) else None,
        dockerfile=filled(dockerfile) if isinstance(dockerfile, str) else None,
        context=filled(str(build.get("context", "."))),
        arguments=words("build.args", build.get("args") or {}),
        variables=words("containerEnv", value.get("containerEnv") or {}),
        remote_user=user if isinstance(user, str) else None,
        network="open" if network == "open" else "internal",
        settings=settings,
        not_obeyed=tuple(name for name in _NOT_OBEYED if value.get(name)),
    )


def _wrong(file: str, problem: str, remedy: str) -> DocumentError:
    return DocumentError(file=file, line=None, problem=problem, remedy=remedy)
