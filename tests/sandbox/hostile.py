"""A hostile agent: with everything it can see in a sandbox it tries what it should not be able to do, and reports.

Runs inside, with nothing but the standard library. Each attempt returns what it achieved, or nothing.
"""

import contextlib
import ctypes
import errno
import functools
import json
import os
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable

GIVEN = json.loads(open(sys.argv[1]).read()) if len(sys.argv) > 1 else {}
ATTEMPTS: list[tuple[str, Callable[[], object]]] = []
LIBC = ctypes.CDLL(None, use_errno=True)
GATEWAY = socket.gethostbyname("aileron.internal")
PORT = int(os.environ["AILERON_URL"].rsplit(":", 1)[1])
TOKEN = os.environ["AILERON_TOKEN"]
NEW_USER, NEW_NET, NEW_NS = 0x10000000, 0x40000000, 0x00020000


def attempt(name: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    def keep(work: Callable[[], object]) -> Callable[[], object]:
        ATTEMPTS.append((name, work))
        return work

    return keep


def connects(host: str, port: int, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> object:
    with socket.socket(family, kind) as connection:
        connection.settimeout(2)
        connection.connect((host, port))
        if kind == socket.SOCK_DGRAM:
            connection.send(b"\x13\x37\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01")
            return connection.recv(512) and "answered"
        return "connected"


def asks(method: str, path: str, *, token: str = TOKEN, body: bytes = b"{}", host: str = "") -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile="/run/aileron/ca.pem")
    with context.wrap_socket(
        socket.create_connection((GATEWAY, PORT), timeout=10), server_hostname="aileron.internal"
    ) as connection:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {host or f'aileron.internal:{PORT}'}\r\nConnection: close\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer


def calls(number_or_name: object, *arguments: object) -> object:
    function = LIBC.syscall if isinstance(number_or_name, int) else getattr(LIBC, str(number_or_name))
    given = (number_or_name, *arguments) if isinstance(number_or_name, int) else arguments
    result = function(*given)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return f"returned {result}"


def writes(path: str, text: str = "hostile") -> object:
    with open(path, "w") as file:
        file.write(text)
    return f"wrote {path}"


@attempt("another open port of the gateway address")
def _() -> object:
    return connects(GATEWAY, GIVEN["open_port"])


@attempt("the control API at the gateway address")
def _() -> object:
    return connects(GATEWAY, GIVEN["control_port"])


@attempt("the agent API of the host at the gateway address")
def _() -> object:
    return connects(GATEWAY, GIVEN["agent_port"])


@attempt("the control API on loopback")
def _() -> object:
    return connects("127.0.0.1", GIVEN["control_port"])


@attempt("the host by its own address")
def _() -> object:
    return connects(GIVEN["host_address"], GIVEN["open_port"])


@attempt("a public address")
def _() -> object:
    return connects("1.1.1.1", 443)


@attempt("a public address over IPv6")
def _() -> object:
    return connects("2606:4700:4700::1111", 443, socket.AF_INET6)


@attempt("the gateway over IPv6 link-local")
def _() -> object:
    return connects("fe80::1%eth0", GIVEN["open_port"], socket.AF_INET6)


@attempt("a public name server over UDP")
def _() -> object:
    return connects("8.8.8.8", 53, kind=socket.SOCK_DGRAM)


@attempt("the engine's name server over UDP")
def _() -> object:
    return connects("127.0.0.11", 53, kind=socket.SOCK_DGRAM)


@attempt("the engine's name server over TCP")
def _() -> object:
    return connects("127.0.0.11", 53)


@attempt("a name server at the gateway address")
def _() -> object:
    return connects(GATEWAY, 53, kind=socket.SOCK_DGRAM)


@attempt("resolving a name")
def _() -> object:
    return socket.getaddrinfo("example.com", 443)


@attempt("the metadata service")
def _() -> object:
    return connects("169.254.169.254", 80)


@attempt("the gateway of another session's network")
def _() -> object:
    return connects(GIVEN["other_gateway"], GIVEN["other_port"])


@attempt("the container of another session")
def _() -> object:
    return connects(GIVEN["other_container"], 8000)


@attempt("the engine's default bridge")
def _() -> object:
    return connects("172.17.0.1", GIVEN["open_port"])


@attempt("curl past every proxy setting")
def _() -> object:
    done = subprocess.run(
        ["curl", "-sS", "-m", "5", "--noproxy", "*", "https://1.1.1.1/"], capture_output=True, check=False
    )
    return done.returncode == 0 and "curl got an answer"


@attempt("a ping")
def _() -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as connection:
        connection.settimeout(2)
        connection.sendto(b"\x08\x00\xf7\xff\x00\x00\x00\x00", (GATEWAY, 0))
        return connection.recv(100) and "answered"


@attempt("a raw socket")
def _() -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) and "opened"


@attempt("a packet socket")
def _() -> object:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) and "opened"


@attempt("a broadcast")
def _() -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return connection.sendto(b"x", ("255.255.255.255", 9999)) and "sent"


@attempt("a listener that the host can reach")
def _() -> object:
    # Meanwhile the test knocks from outside, again and again.
    with socket.create_server(("0.0.0.0", GIVEN["knocked_at"])) as server:
        server.settimeout(3)
        return server.accept() and "somebody connected"


@attempt("a route of its own")
def _() -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton("0.0.0.0"))
        gateway = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(GATEWAY))
        route = struct.pack("L16s16s16sHhL", 0, address, gateway, address, 3, 0, 0) + b"\0" * 64
        import fcntl

        fcntl.ioctl(control, 0x890B, route)
    return "added"


@attempt("the rules of the network")
def _() -> object:
    done = subprocess.run(["/usr/sbin/nft", "flush", "ruleset"], capture_output=True, check=False)
    return done.returncode == 0 and "flushed"


@attempt("a user namespace with a network of its own")
def _() -> object:
    return calls("unshare", NEW_USER | NEW_NET)


@attempt("a mount namespace")
def _() -> object:
    return calls("unshare", NEW_NS)


@attempt("the namespaces of the first process")
def _() -> object:
    with open("/proc/1/ns/net") as file:
        return calls("setns", file.fileno(), 0)


@attempt("every route of the control API with its own token")
def _() -> object:
    opened = [f"{m} {p}" for m, p in GIVEN["control_routes"] if asks(m.upper(), p)[0] < 400]
    return opened


@attempt("approving its own request")
def _() -> object:
    status, _ = asks("POST", f"/v1/approvals/{GIVEN['approval']}/approve")
    return status < 400 and "approved"


@attempt("approving through the gateway's path")
def _() -> object:
    status, _ = asks("POST", f"/llm/{TOKEN}/../../v1/approvals/{GIVEN['approval']}/approve")
    return status < 400 and "approved"


@attempt("the outcome of another session's request")
def _() -> object:
    status, _ = asks("GET", f"/v1/action-approvals/{GIVEN['approval']}/result")
    return status < 400 and "read"


@attempt("another session's token")
def _() -> object:
    status, _ = asks("GET", "/v1/actions", token=GIVEN["other_token"])
    return status < 400 and "accepted"


@attempt("another session's token for models")
def _() -> object:
    status, _ = asks("GET", f"/llm/{GIVEN['other_token']}/v1/models", token=GIVEN["other_token"])
    return status < 400 and "accepted"


@attempt("the host's name in a request")
def _() -> object:
    status, _ = asks("GET", "/v1/actions", host=f"127.0.0.1:{GIVEN['control_port']}")
    return status < 400 and "accepted"


@attempt("a request as a web page")
def _() -> object:
    status, _ = asks("GET", "/v1/actions\x20HTTP/1.1\r\nOrigin: https://evil.example\r\nX: ")
    return status < 400 and "accepted"


@attempt("being the first process a second time")
def _() -> object:
    status, _ = asks("GET", "/v1/sandbox/lifeline")
    return status < 400 and "taken"


@attempt("reporting a proof of its own")
def _() -> object:
    status, _ = asks("POST", "/v1/sandbox/report")
    return status < 400 and "taken"


def _protected(form: str, work: Callable[[str], object]) -> None:
    @attempt(f"protected paths: {form}")
    def _() -> object:
        done = []
        for path in GIVEN["protected"]:
            try:
                work(path)
            except OSError:
                continue
            done.append(path)
        return done


def _write_into(path: str) -> None:
    writes(f"{path}/hostile" if os.path.isdir(path) else path)


def _put_in_place(path: str) -> None:
    writes("/workspace/draft")
    try:
        os.rename("/workspace/draft", path)
    finally:
        if os.path.exists("/workspace/draft"):
            os.unlink("/workspace/draft")


def _remove(path: str) -> None:
    os.rmdir(path) if os.path.isdir(path) else os.unlink(path)


_protected("writing", _write_into)
_protected("removing", _remove)
_protected("moving away", lambda path: os.rename(path, f"{path}.away"))
_protected("putting another in its place", _put_in_place)
_protected("a symbolic link in its place", lambda path: os.symlink("/tmp", path))
_protected("a hard link to it", lambda path: os.link(path, "/workspace/linked"))
_protected("its mode", lambda path: os.chmod(path, 0o777))
_protected("cutting it off", lambda path: os.truncate(path, 0))


@attempt("protected paths: moving the repository away")
def _() -> object:
    os.rename("/workspace/.git", "/workspace/.git-away")
    return "moved"


def _outside(path: str) -> None:
    """Write something into the layer, and say nothing: the test looks whether it is in the person's folder."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write("#!/bin/sh\ntouch /tmp/ran\n")
    os.chmod(path, 0o755)


@attempt("the person's repository: hooks and configuration")
def _() -> object:
    for name in ("hooks/pre-commit", "hooks/post-checkout", "config.worktree", "commondir.away", "info/attributes"):
        _outside(f"/workspace/.git/{name}")
    subprocess.run(["git", "config", "core.fsmonitor", "/workspace/run"], check=True)
    subprocess.run(["git", "config", "core.hooksPath", "/workspace/hooks"], check=True)


@attempt("the person's folder: what editors, shells and agents obey")
def _() -> object:
    for name in (".envrc", ".vscode/tasks.json", ".mcp.json", ".claude/settings.json", "sub/.envrc"):
        _outside(f"/workspace/{name}")


@attempt("the person's folder: a bare repository, at the top and below")
def _() -> object:
    for top in ("/workspace", "/workspace/below"):
        for name in ("HEAD", "config", "objects/x", "refs/x"):
            _outside(f"{top}/{name}")
    _outside("/workspace/vendor/.git/config")


@attempt("the person's folder: another repository in place of theirs")
def _() -> object:
    os.rename("/workspace/.git", "/workspace/.git-away")
    os.rename("/workspace/.git-away", "/workspace/.git")


@attempt("the person's folder: links, devices and pipes")
def _() -> object:
    os.symlink("/", "/workspace/root")
    os.mkfifo("/workspace/pipe")
    os.mknod("/workspace/device", 0o20666, os.makedev(1, 1))


@attempt("the person's folder: by the names of the layer's parts")
def _() -> object:
    with open("/proc/self/mountinfo") as mounts:
        said = next(line for line in mounts if " /workspace " in line)
    found = re.findall(r"(?:lowerdir|upperdir|workdir)=([^, ]+)", said)
    return not found or [place for place in found if os.path.isdir(place)]


@attempt("protected paths: through another name of the workspace")
def _() -> object:
    return writes("/proc/self/cwd/.git/hooks/pre-commit")


@attempt("protected paths: git's own way")
def _() -> object:
    done = subprocess.run(["git", "config", "core.hooksPath", "/tmp"], capture_output=True, check=False)
    return done.returncode == 0 and "configured"


@attempt("a symbolic link out of the workspace")
def _() -> object:
    os.symlink(GIVEN["host_file"], "/workspace/out")
    try:
        return writes("/workspace/out")
    finally:
        os.unlink("/workspace/out")


@attempt("the folder above the workspace")
def _() -> object:
    return os.path.exists(f"/workspace/../{GIVEN['sibling']}") and "there"


@attempt("the root file system")
def _() -> object:
    return writes("/etc/passwd")


@attempt("the programs of ours")
def _() -> object:
    return writes("/opt/aileron/bin/codex")


@attempt("what the first process reads")
def _() -> object:
    return writes("/run/aileron/start.json")


@attempt("mounting something")
def _() -> object:
    return calls("mount", b"none", b"/tmp", b"tmpfs", 0, None)


@attempt("unmounting what protects")
def _() -> object:
    return calls("umount2", b"/workspace/.git/hooks", 2)


@attempt("mounting it writable again")
def _() -> object:
    return calls("mount", b"none", b"/workspace/.git/hooks", None, 32 | 4096, None)


@attempt("another root")
def _() -> object:
    return calls("chroot", b"/tmp")


@attempt("a device")
def _() -> object:
    return os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0)) or "made"


@attempt("the kernel's settings")
def _() -> object:
    return writes("/proc/sys/kernel/core_pattern")


@attempt("the magic key")
def _() -> object:
    return writes("/proc/sysrq-trigger", "h")


@attempt("the kernel's memory")
def _() -> object:
    with open("/proc/kcore", "rb") as file:
        return file.read(4) and "read"


@attempt("the groups of processes")
def _() -> object:
    done = []
    for folder, _, names in os.walk("/sys/fs/cgroup"):
        for name in names:
            if name in {"release_agent", "cgroup.procs", "tasks", "memory.max", "memory.limit_in_bytes", "pids.max"}:
                try:
                    done.append(writes(f"{folder}/{name}", "1"))
                except OSError:
                    continue
    return done


@attempt("processes of the host")
def _() -> object:
    names = {open(f"/proc/{pid}/comm").read().strip() for pid in os.listdir("/proc") if pid.isdecimal()}
    return sorted(names & {"dockerd", "containerd", "init", "systemd", "sshd", "bash"})


@attempt("a program that gains rights")
def _() -> object:
    asked = 0
    for path in ("/usr/bin/su", "/usr/bin/mount", "/usr/bin/newgrp", "/usr/bin/passwd", "/usr/bin/chsh"):
        if not os.path.exists(path) or not os.stat(path).st_mode & 0o4000:
            continue
        with subprocess.Popen(
            [path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as run:
            effective = set()
            for _ in range(200):
                try:
                    status = open(f"/proc/{run.pid}/status").read()
                except OSError:
                    break
                effective.add(re.search(r"^Uid:\t\d+\t(\d+)", status, re.MULTILINE)[1])
                if run.poll() is not None:
                    break
            run.kill()
        asked += 1
        if "0" in effective:
            return f"{path} runs as root"
    if not asked:
        raise PermissionError("there is no program here that could")
    return None


@attempt("becoming root")
def _() -> object:
    return os.setuid(0) or "root"


@attempt("the Docker engine")
def _() -> object:
    for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"):
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(path)
            except OSError:
                continue
            return path
    return None


@attempt("sockets of the host without a file")
def _() -> object:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + GIVEN["abstract_socket"])
    return "connected"


def _traces(process: int) -> object:
    for request in (0x4206, 16):  # without stopping it, and with
        with contextlib.suppress(OSError):
            return calls("ptrace", request, process, None, None)
    return calls("ptrace", 16, process, None, None)


def _reads_memory(process: int) -> object:
    with open(f"/proc/{process}/mem", "r+b") as file:
        return file.fileno() and "opened"


def _moves_memory(process: int, call: int) -> object:
    here = (ctypes.c_char * 8)()
    local = struct.pack("QQ", ctypes.addressof(here), 8)
    there = struct.pack("QQ", 0x10000, 8)
    try:
        return calls(call, process, local, 1, there, 1, 0)
    except OSError as problem:
        # Past the question whether it may: the address is wrong, and another one would not be.
        if problem.errno == errno.EFAULT:
            return "was let in"
        raise


def _takes_descriptor(process: int) -> object:
    opened = int(str(calls(434, process, 0)).rsplit(" ", 1)[1])
    try:
        return calls(438, opened, 0, 0)
    finally:
        os.close(opened)


def _limits(process: int) -> object:
    return resource.prlimit(process, resource.RLIMIT_NOFILE, (0, 0)) and "limited"


def _slows_down(process: int) -> object:
    done = []
    for name, work in (
        ("nice", lambda: os.setpriority(os.PRIO_PROCESS, process, 19)),
        ("scheduler", lambda: os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))),
        ("processors", lambda: os.sched_setaffinity(process, {0})),
        ("disks", lambda: calls(251, 1, process, 3 << 13)),
    ):
        try:
            work()
        except PermissionError:
            continue
        done.append(name)
    return done


def _signals(process: int) -> object:
    done = []
    for number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(process, number)
        except PermissionError:
            continue
        done.append(number.name)
    return done


def _sees(process: int) -> object:
    done = []
    for name in ("environ", "maps", "fd", "cwd", "root", "exe", "auxv", "syscall"):
        try:
            path = f"/proc/{process}/{name}"
            os.listdir(path) if name in {"fd", "root", "cwd"} else os.readlink(path) if name == "exe" else open(path)
        except PermissionError:
            continue
        done.append(name)
    return done


def _writes_input(process: int) -> object:
    with open(f"/proc/{process}/fd/0", "w") as file:
        return file.write("x") and "wrote"


ENDING, FIRST = 1, os.getppid()
for _who, _process, _ways in (
    (
        "the process that ends the sandbox",
        ENDING,
        {"signalling": _signals, "limiting": _limits, "slowing down": _slows_down},
    ),
    ("the first process", FIRST, {}),
):
    for _way, _work in (
        {
            "tracing": _traces,
            "opening the memory of": _reads_memory,
            "reading the memory of": lambda process: _moves_memory(process, 310),
            "writing the memory of": lambda process: _moves_memory(process, 311),
            "a descriptor of": _takes_descriptor,
            "writing to the input of": _writes_input,
            "looking into": _sees,
        }
        | _ways
    ).items():
        ATTEMPTS.append((f"{_way} {_who}", functools.partial(_work, _process)))


@attempt("the pipe that the daemon holds")
def _() -> object:
    return [place for place in ("/run/held", "/proc/1/root/run/held") if os.path.exists(place)]


for _name, _number, _arguments in (
    ("a program in the kernel", 321, (0, 0, 0)),
    ("counters of the machine", 298, (0, 0, -1, -1, 0)),
    ("the kernel's keys", 250, (0, -3, 0, 0, 0)),
    ("handling page faults", 323, (0,)),
    ("a module", 175, (0, 0, b"")),
    ("another kernel", 246, (0, 0, 0, 0)),
    ("a restart", 169, (0xFEE1DEAD, 672274793, 0x1234567, 0)),
    ("the clock", 227, (0, 0)),
    ("the name of the host", 170, (b"x", 1)),
    ("a file by its handle", 304, (-100, 0, 0)),
):

    def _system_call(number: int = _number, arguments: tuple[object, ...] = _arguments) -> object:
        try:
            return calls(number, *arguments)
        except OSError as problem:
            # Anything but a refusal means that the call got further than it should.
            return None if problem.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS) else f"said {problem}"

    ATTEMPTS.append((_name, _system_call))


@attempt("more processes than allowed")
def _() -> object:
    children = []
    try:
        for _ in range(5000):
            child = os.fork()
            if child == 0:
                time.sleep(30)
                os._exit(0)
            children.append(child)
    except OSError:
        return None
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
    return f"{len(children)} processes"


@attempt("filling its own disks")
def _() -> object:
    done = []
    for folder in ("/tmp", "/home/agent", "/run/lock", "/dev/shm"):
        try:
            with open(f"{folder}/full", "wb") as file:
                os.posix_fallocate(file.fileno(), 0, 3 * 1024**3)
            done.append(folder)
        except OSError:
            pass
        finally:
            if os.path.exists(f"{folder}/full"):
                os.unlink(f"{folder}/full")
    return done


@attempt("secrets in what it sees")
def _() -> object:
    seen = []
    for pid in [name for name in os.listdir("/proc") if name.isdecimal()]:
        for name in ("environ", "cmdline"):
            try:
                content = open(f"/proc/{pid}/{name}", "rb").read()
            except OSError:
                continue
            seen += [word for word in GIVEN["secrets"] if word.encode() in content]
    for folder in ("/run", "/etc", "/home", "/tmp", "/var"):
        for place, _, names in os.walk(folder):
            for name in names:
                try:
                    content = open(f"{place}/{name}", "rb").read(1_000_000)
                except OSError:
                    continue
                seen += [f"{place}/{name}" for word in GIVEN["secrets"] if word.encode() in content]
    return seen


@attempt("a child that outlives it")
def _() -> object:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for descriptor in range(3):
                os.close(descriptor)
            time.sleep(600)
        os._exit(0)
    os.wait()
    return None  # the test looks at the engine when the agent has ended


def main() -> None:
    found = {}
    only = GIVEN.get("only")
    held = "protected paths:"  # these are held only where an agent works on the person's folder itself
    for name, work in [each for each in ATTEMPTS if each[0].startswith(held) == (only == held)]:
        began = time.monotonic()
        try:
            achieved = work()
        except Exception as problem:  # noqa: BLE001 - whatever stopped it
            found[name] = {"achieved": None, "stopped_by": f"{type(problem).__name__}: {problem}"[:200]}
        else:
            found[name] = {"achieved": achieved or None, "stopped_by": "no effect"}
        found[name]["seconds"] = round(time.monotonic() - began, 2)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
