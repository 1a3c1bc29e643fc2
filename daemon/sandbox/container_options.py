"""The options that each kind of container is created with: the whole list of what confines an agent. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.sandbox.held_pipe import PIPE
from daemon.sandbox.reach import GATEWAY_NAME
from daemon.sandbox.volumes import Mounted, described
from daemon.workspaces.layers.inside import WORKSPACE

HOME = "/home/agent"
RUN = "/run/aileron"
DOOR = "/run/door"
"""The folder in which a forwarder finds the daemon's socket."""
HELD = "/run/held"
"""The folder in which an anchor finds the pipe that the daemon holds open."""
HOST = "aileron.internal"
ROOT = "/opt/aileron"
_PYTHON = f"{ROOT}/python"
_INTERPRETER = (
    f"{_PYTHON}/libc/loader",
    "--library-path",
    f"{_PYTHON}/libc",
    f"{_PYTHON}/bin/python3",
    *("-I", "-B", "-S"),
)
START = (*_INTERPRETER, f"{ROOT}/inside/start.py")
"""The first process uses no shell and no library of the image, because anybody may have made the image."""
_UNLOADED = dict.fromkeys(("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"), "")
"""An image may set these. They are emptied, so that the loader puts no code of the image into the first process, which
proves that the sandbox is closed."""
_NOWHERE = "127.0.0.1"
_NOBODY = "65534:65534"
ANCHOR_UID = 65533
"""The user of an anchor. No agent may have it, because a process may signal, trace and slow down others of its user."""
_ANCHOR_USER = f"{ANCHOR_UID}:{ANCHOR_UID}"
_ANCHOR_BYTES = 16 * 1024**2
_FORWARDER_BYTES = 96 * 1024**2
_SMALL: Mapping[str, Any] = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "read_only": True,
    "ipc_mode": "private",
    "cgroupns": "private",
    "privileged": False,
    "restart_policy": {"Name": "no"},
}
"""Options of the containers in which only programs of ours run."""
_TMP_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLimits:
    """What a sandbox may use of the machine."""

    memory_bytes: int
    cpus: float | None
    """None where the engine cannot limit processors and would refuse. It leaves out other limits by itself."""
    pids: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The container in which an agent runs."""

    image: str
    name: str
    user: str
    workspace: Sequence[Mounted]
    """The workspace, and what git needs beside it. A folder comes before the folders in it."""
    run_folder: str
    """The folder of the host that holds what the first process reads."""
    tools: str | None
    """A volume with our tools, for images that are not ours."""
    anchor: str
    """The container whose network and process numbers it shares."""
    labels: Mapping[str, str]
    limits: ContainerLimits
    terminal: bool
    environment: Mapping[str, str]
    accounts: Mapping[str, str] = field(default_factory=dict)
    """Files of this machine with the users and groups of the container, and where each is mounted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The container that holds the network and the processes of a sandbox, and does nothing else.

    It reads a pipe, and ends when the pipe does: when the daemon dies, or when the sandbox ends. The agent can see it
    and not touch it: it has another user, other limits, and is process 1, which ignores signals from inside.
    """

    image: str
    name: str
    network: str
    address: str
    held: str | None
    """The folder of the host with the pipe. None where the engine has another kernel: then its input does the same."""
    labels: Mapping[str, str]
    outside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarder:
    """The container that carries connections to the daemon, where no network of a container is this machine's."""

    image: str
    name: str
    network: str
    subnet: str
    target: str
    """Where the daemon listens: unix:PATH or tcp:HOST:PORT."""
    door: str | None
    """The folder of the host in which the daemon's socket is."""
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packer:
    """The container that packs what an agent committed; it has our programs, and reads the workspace only."""

    image: str
    name: str
    user: str
    mounts: Sequence[Mounted]
    """All of them read-only."""
    labels: Mapping[str, str]
    memory_bytes: int


def binds(spec: Spec) -> list[str]:
    """Return the mounts beside the workspace: what the first process reads, users and groups, and our tools."""
    mounted = [f"{spec.run_folder}:{RUN}:ro", *(f"{path}:{inside}:ro" for path, inside in spec.accounts.items())]
    if spec.tools is not None:
        mounted.append(f"{spec.tools}:{ROOT}:ro")
    return mounted


def host_config(spec: Spec) -> dict[str, Any]:
    """Return the keyword arguments of the host configuration of an agent's container."""
    user, _, group = spec.user.partition(":")
    scratch = f"rw,nosuid,nodev,uid={user},gid={group}"
    return {
        "binds": binds(spec),
        "mounts": [described(each) for each in spec.workspace],
        "network_mode": f"container:{spec.anchor}",
        # The anchor is process 1 of this container. When it ends, the kernel kills every other process, even if the
        # agent has stopped or starved the processes of its own container.
        "pid_mode": f"container:{spec.anchor}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "tmpfs": {
            HOME: f"{scratch},mode=700,size={_TMP_BYTES},exec",
            "/tmp": f"{scratch},mode=1777,size={_TMP_BYTES},exec",  # noqa: S108 - inside the container
            "/run/lock": f"{scratch},mode=755,size=1048576,noexec",
        },
        "pids_limit": spec.limits.pids,
        "mem_limit": spec.limits.memory_bytes,
        "memswap_limit": spec.limits.memory_bytes,
        "nano_cpus": int(spec.limits.cpus * 1e9) if spec.limits.cpus else None,
        "ipc_mode": "private",
        "cgroupns": "private",
        "privileged": False,
        "restart_policy": {"Name": "no"},
        "log_config": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
        "oom_score_adj": 500,
    }


def creation(spec: Spec) -> dict[str, Any]:
    """Return the other keyword arguments with which an agent's container is created."""
    return {
        "image": spec.image,
        "name": spec.name,
        "command": [],
        "entrypoint": list(START),
        "user": spec.user,
        "working_dir": WORKSPACE,
        "environment": {"HOME": HOME, "TERM": "dumb", **_UNLOADED, **spec.environment},
        "labels": dict(spec.labels),
        "tty": spec.terminal,
        "stdin_open": True,
        "stop_signal": "SIGTERM",
    }


def exec_creation(command: Sequence[str], *, terminal: bool, kind_of_terminal: str) -> dict[str, Any]:
    """Return the keyword arguments of a program beside the agent.

    Its user, limits, rights, network and files are those of the container; nothing of that can be said here.
    """
    return {
        "cmd": [*_INTERPRETER, f"{ROOT}/inside/enter.py", kind_of_terminal if terminal else "", *command],
        "stdin": True,
        "stdout": True,
        "stderr": True,
        "tty": terminal,
        "privileged": False,
    }


def signal_creation(process: int, number: int) -> dict[str, Any]:
    """Return the keyword arguments of the program that sends a signal to one of these."""
    return {"cmd": [*_INTERPRETER, f"{ROOT}/inside/signal_group.py", str(process), str(number)], "privileged": False}


def anchor_host_config(anchor: Anchor) -> dict[str, Any]:
    """Return the keyword arguments of an anchor's host configuration; names and addresses come from it."""
    return {
        **_SMALL,
        "network_mode": anchor.network,
        "extra_hosts": {HOST: anchor.address},
        # Even on an internal network the engine would answer name lookups by asking servers outside.
        "dns": None if anchor.outside else [_NOWHERE],
        "binds": [] if anchor.held is None else [f"{anchor.held}:{HELD}:ro"],
        # `cat` is one process, but the Go program that starts it has threads, and they count.
        "pids_limit": 16,
        "mem_limit": _ANCHOR_BYTES,
        "memswap_limit": _ANCHOR_BYTES,
        "log_config": {"Type": "none"},
    }


def anchor_creation(anchor: Anchor) -> dict[str, Any]:
    """Return the other keyword arguments of an anchor's creation."""
    return {
        "image": anchor.image,
        "name": anchor.name,
        # It ends when the pipe or its input does; the daemon holds both.
        "entrypoint": ["/bin/cat"],
        "command": [] if anchor.held is None else [f"{HELD}/{PIPE}"],
        "user": _ANCHOR_USER,
        "labels": dict(anchor.labels),
        "stdin_open": True,
        "hostname": "sandbox",
    }


def forwarder_host_config(forwarder: Forwarder) -> dict[str, Any]:
    """Return the keyword arguments of a forwarder's host configuration."""
    return {
        **_SMALL,
        "network_mode": forwarder.network,
        "extra_hosts": {GATEWAY_NAME: "host-gateway"} if forwarder.door is None else {},
        "binds": [] if forwarder.door is None else [f"{forwarder.door}:{DOOR}:ro"],
        "pids_limit": 16,
        "mem_limit": _FORWARDER_BYTES,
        "memswap_limit": _FORWARDER_BYTES,
    }


def forwarder_creation(forwarder: Forwarder) -> dict[str, Any]:
    """Return the other keyword arguments of a forwarder's creation."""
    return {
        "image": forwarder.image,
        "name": forwarder.name,
        "entrypoint": [*_INTERPRETER, f"{ROOT}/inside/relay.py"],
        "command": [forwarder.subnet, forwarder.target],
        "user": _NOBODY,
        "labels": dict(forwarder.labels),
        "stdin_open": True,
    }


def packer_host_config(packer: Packer) -> dict[str, Any]:
    """Return the keyword arguments of a packer's host configuration."""
    user, _, group = packer.user.partition(":")
    return {
        **{name: value for name, value in _SMALL.items() if name != "restart_policy"},
        "network_mode": "none",
        "mounts": [described(each) for each in packer.mounts],
        # What was not committed is written here before it is packed, and counts as memory.
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,noexec,uid={user},gid={group},mode=700,size={packer.memory_bytes // 2}"},  # noqa: S108
        "pids_limit": 64,
        "mem_limit": packer.memory_bytes,
        "memswap_limit": packer.memory_bytes,
        "auto_remove": True,
        "log_config": {"Type": "none"},
        "oom_score_adj": 500,
    }


def packer_creation(packer: Packer) -> dict[str, Any]:
    """Return the other keyword arguments of a packer's creation."""
    return {
        "image": packer.image,
        "name": packer.name,
        "entrypoint": [*_INTERPRETER, f"{ROOT}/inside/pack_commits.py"],
        "command": [],
        "user": packer.user,
        "working_dir": "/tmp",  # noqa: S108 - inside the container
        "environment": {"HOME": "/tmp", **_UNLOADED},  # noqa: S108 - inside the container
        "labels": dict(packer.labels),
        "stdin_open": True,
    }
