"""The first process of a sandbox: proves that it is one, starts the agent, and ends with it or with the daemon.

Only the standard library, and little of that: every import is time before the agent.
"""

import json
import os
import signal
import sys
import threading

sys.path.insert(0, "/opt/aileron/inside")

import guard  # type: ignore[import-not-found]
import lifeline  # type: ignore[import-not-found]
import probe  # type: ignore[import-not-found]

_FOLDER = "/run/aileron"
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_NO_PROOF = 121
_GRACE_SECONDS = 1.0
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCONT)


def main() -> int:
    """Run one agent; return its exit code."""
    guard.keep_to_itself()
    guard.adopt_orphans()
    with open(f"{_FOLDER}/start.json", encoding="utf-8") as file:
        start = json.load(file)
    line = lifeline.Lifeline(start["host"], start["address"], start["port"], start["token"], f"{_FOLDER}/ca.pem")
    line.open()
    line.wait_for("probe")
    report = probe.run(start)
    line.report(report)
    line.wait_for("go")
    place(start)
    child = spawn(start)
    threading.Thread(target=watch, args=(line, child), daemon=True).start()
    return reap(child)


def place(start: dict) -> None:
    """Put the files of the launch into the home folder, which is empty at every start."""
    for file in start["files"]:
        os.makedirs(os.path.dirname(file["path"]), mode=0o700, exist_ok=True)
        if file["link_to"] is not None:
            os.symlink(file["link_to"], file["path"])
        else:
            with open(file["path"], "w", encoding="utf-8") as opened:
                opened.write(file["text"])
    with open(start["bundle"], "wb") as bundle:
        for path in (*_SYSTEM_BUNDLES, f"{_FOLDER}/ca.pem"):
            if os.path.exists(path):
                with open(path, "rb") as part:
                    bundle.write(part.read() + b"\n")


def spawn(start: dict) -> int:
    """Start the agent as a child, so that there is somebody to reap what it leaves behind."""
    # What arrives before there is a child is for the child.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    child = os.fork()
    if child == 0:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
            os.chdir(start["folder"])
            environment = {**os.environ, **start["environment"]}
            os.execvpe(start["argv"][0], start["argv"], environment)  # noqa: S606 - a shell would read it anew
        except OSError as problem:
            sys.stderr.write(f"{start['argv'][0]} cannot be run: {problem.strerror}\n")
        os._exit(127)
    for number in _FORWARDED:
        signal.signal(number, lambda received, _: kill(child, received))
    for number in (signal.SIGINT, signal.SIGQUIT):
        # A terminal sends these to the agent itself; the first process must only not die of them.
        handler = (lambda *_: None) if os.isatty(0) else (lambda received, _: kill(child, received))
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    return child


def reap(child: int) -> int:
    """Wait for the agent, and for every orphan that comes along."""
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def watch(line: lifeline.Lifeline, child: int) -> None:
    """End everything when the daemon lets go: without it, nothing in here is good for anything.

    Usually process 1 of the sandbox ends first, and everything with it. This is for an engine that does not answer.
    """
    try:
        line.wait_for_the_end()
        kill(child, signal.SIGTERM)
        threading.Event().wait(_GRACE_SECONDS)
    finally:  # also if an agent has left no memory to go on with
        os.kill(-1, signal.SIGKILL)
        os._exit(143)


def kill(child: int, number: int) -> None:
    """Send a signal to the agent, which may be gone."""
    try:
        os.kill(child, number)
    except ProcessLookupError:
        pass


if __name__ == "__main__":
    try:
        code = main()
    except (OSError, lifeline.LostError, ValueError) as problem:
        sys.stderr.write(f"aileron: the sandbox does not start: {problem}\n")
        code = _NO_PROOF
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
