"""One life of a daemon after another on the same home: arm a fault, act, die, come back, look at what is true."""

import contextlib
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from services.upstream import UpstreamProcess
from world import World

AUDIT_POINTS = ("audit.before_insert", "audit.before_commit", "audit.after_commit")
RUN_POINTS = (
    "execution.before_started",
    "execution.after_started",
    "execution.before_send",
    "execution.before_finished",
    "execution.after_finished",
)
APPROVAL_POINTS = (
    "approval.before_request",
    "approval.after_request",
    "approval.before_decision",
    "approval.after_decision",
)
VAULT_POINTS = ("vault.before_replace", "vault.after_replace")
STORE_POINTS = ("connector.before_publish", "connector.after_publish")
ALL_POINTS = frozenset((*AUDIT_POINTS, *RUN_POINTS, *APPROVAL_POINTS, *VAULT_POINTS, *STORE_POINTS))
UPSTREAM = "while the service is at work"
ANYTIME = "at any time"


@dataclass(frozen=True)
class Cycle:
    """What is done and where it is cut off."""

    act: str
    point: str
    count: int = 1

    def __str__(self) -> str:
        return f"{self.act} killed at {self.point}:{self.count}"


def plan() -> Iterator[Cycle]:
    """Yield every kind of cut once."""
    for act in ("post", "get", "two steps", "several"):
        for point in (*RUN_POINTS, *AUDIT_POINTS):
            yield Cycle(act, point)
        yield Cycle(act, "audit.before_commit", 2)
        yield Cycle(act, "audit.after_commit", 2)
        yield Cycle(act, UPSTREAM)
        yield Cycle(act, ANYTIME)
    yield Cycle("two steps", "execution.before_send", 2)
    yield Cycle("two steps", "audit.after_commit", 3)
    yield Cycle("several", "execution.before_finished", 3)
    for point in (*APPROVAL_POINTS, *RUN_POINTS, UPSTREAM, ANYTIME):
        yield Cycle("approval", point)
    for count in (1, 2, 3, 4):
        for point in AUDIT_POINTS:
            yield Cycle("approval", point, count)
    for point in (*VAULT_POINTS, *AUDIT_POINTS):
        yield Cycle("secret", point)
    for point in STORE_POINTS:
        yield Cycle("install", point)


class Lives:
    """A home whose daemon is killed over and over."""

    def __init__(self, folder: Path, upstream: UpstreamProcess, *, seed: int) -> None:
        folder.mkdir()
        self.random = random.Random(seed)
        self.upstream = upstream
        self.world = World(folder, upstream=upstream.url)
        self.armed = folder / "fault"
        self.log = folder / "fault-points"
        self.kills = 0
        self._serial = 0
        self._session = ("", "")

    def begin(self) -> None:
        """Set the home up."""
        self._start(first=True)
        self.world.set_up()
        self._session = self.world.session()
        self.world.add_action("post")
        self.world.add_action("get", op="get_json", inputs={"url": "${args.url}"})
        self.world.add_action("approval", approval=True)
        self._two_steps()

    def live(self, cycle: Cycle) -> None:
        """Act, die, come back, and insist on the promises."""
        self._serial += 1
        self.upstream.forget()
        slow = cycle.point == UPSTREAM
        paths = [f"/k/{self._serial}/{number}" for number in range(4 if cycle.act == "several" else 1)]
        if slow:
            for path in paths:
                self.upstream.behave(path, delay=30)
        if cycle.point in ALL_POINTS:
            self.armed.write_text(f"{cycle.point}:{cycle.count}")
        with ThreadPoolExecutor(6) as pool:
            acting = [pool.submit(_quietly, act) for act in self._acts(cycle.act, paths)]
            if slow:
                self.upstream.wait_for(1, path=paths[0])
                self.world.kill()
            elif cycle.point == ANYTIME:
                time.sleep(self.random.random() * 0.06)
                self.world.kill()
            answers = [future.result() for future in acting]
            if self.world.process is not None:
                assert self.world.wait_dead(10) == -9, f"{cycle}: the fault point was not reached"
        self.kills += 1
        self.armed.unlink(missing_ok=True)
        seen = {path: len(self.upstream.seen(path)) for path in paths}
        for path in paths:
            self.upstream.behave(path)
        self._start()
        self.world.unlock()
        if cycle.act == "approval":
            self._finish_approvals()
        self._insist(cycle, paths, seen, answers)

    def _start(self, *, first: bool = False) -> None:
        environment = {"AILERON_FAULT_FILE": str(self.armed)}
        self.world.start(**environment, **({"AILERON_FAULT_LOG": str(self.log)} if first else {}))

    def _acts(self, act: str, paths: list[str]) -> list[Callable[[], httpx.Response]]:
        if act == "approval":
            return [lambda: self._ask_and_approve(paths[0])]
        if act == "secret":
            body = {"name": f"secret-{self._serial}", "value": "v" * self._serial}
            return [lambda: self.world.control("PUT", "/v1/secrets", body)]
        if act == "install":
            return [self._install_anew]
        action = {"two steps": "two-steps", "several": "post"}.get(act, act)
        return [lambda path=path: self._run(action, path) for path in paths]

    def _run(self, action: str, path: str) -> httpx.Response:
        arguments = {"url": f"{self.world.upstream}{path}"} | ({} if action == "get" else {"body": '{"n":1}'})
        return self.world.agent("POST", f"/v1/actions/{action}/run", {"arguments": arguments}, token=self._session[1])

    def _ask_and_approve(self, path: str) -> httpx.Response:
        asked = self._run("approval", path)
        approval = asked.json()["approval_id"]
        self.world.control("POST", f"/v1/approvals/{approval}/approve", {})
        return self.world.agent(
            "GET", f"/v1/action-approvals/{approval}/result?wait=20", token=self._session[1], timeout=30
        )

    def _install_anew(self) -> httpx.Response:
        pinned = self.world.hashes["wellbehaved"]
        try:
            self.world.install("wellbehaved", version=f"1.0.{self._serial}")
        finally:
            self.world.hashes["wellbehaved"] = pinned
        return self.world.control("GET", "/v1/connectors")

    def _finish_approvals(self) -> None:
        """Approve what is still pending, and wait until nothing is open."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            states = {a["id"]: a["state"] for a in self.world.ok("GET", "/v1/approvals?limit=1000")["items"]}
            for approval, state in states.items():
                if state == "pending":
                    self.world.ok("POST", f"/v1/approvals/{approval}/approve", {})
            if not {"pending", "approved", "running"} & set(states.values()):
                return
            time.sleep(0.02)
        raise AssertionError(f"approvals stay open: {states}")

    def _insist(self, cycle: Cycle, paths: list[str], seen: dict[str, int], answers: list[Any]) -> None:
        report = self.world.verify()
        assert report["ok"], f"{cycle}: {report['problems']}"
        events = self.world.events()
        started = {e["payload"]["aileron.execution.id"]: e for e in events if e["type"] == "execution.started"}
        ended: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            if event["type"] in {"execution.succeeded", "execution.failed", "execution.unknown"}:
                ended.setdefault(event["payload"]["aileron.execution.id"], []).append(event)
        assert set(started) == set(ended), f"{cycle}: an execution without an end, or an end without a beginning"
        assert all(len(ends) == 1 for ends in ended.values()), f"{cycle}: an execution ended twice"
        spent = [e["payload"]["aileron.approval.id"] for e in started.values() if "aileron.approval.id" in e["payload"]]
        assert len(spent) == len(set(spent)), f"{cycle}: an approval was spent twice"
        assert self._open_executions() == 0, f"{cycle}: an execution was left open"
        for path in paths:
            mine = [key for key, e in started.items() if path in str(e["payload"]["aileron.action.arguments"])]
            total = len(self.upstream.seen(path))
            posted = len([r for r in self.upstream.seen(path) if r.method == "POST"])
            assert posted <= 1, f"{cycle}: the service was asked twice"
            if seen[path]:
                assert mine, f"{cycle}: something left before its beginning was written down"
            for execution in mine:
                end = ended[execution][0]
                if end["type"] == "execution.failed" and cycle.act != "get":
                    assert posted == 0, f"{cycle}: what reached the service is reported as failed: {end['payload']}"
                if end["type"] == "execution.succeeded":
                    assert total >= 1, f"{cycle}: a success without a request"
        for answer in answers:
            if isinstance(answer, httpx.Response) and answer.status_code == 200 and "audit_id" in answer.json():
                audit_id = answer.json()["audit_id"]
                assert audit_id is None or any(e["id"] == audit_id for e in events), f"{cycle}: an answer was not kept"

    def _open_executions(self) -> int:
        with contextlib.closing(sqlite3.connect(self.world.home / "aileron.db")) as connection:
            return int(connection.execute("select count(*) from open_executions").fetchone()[0])

    def _two_steps(self) -> None:
        pinned = self.world.hashes["wellbehaved"]
        step = '[[execute]]\nid = "{id}"\nconnector = "file://aileron/wellbehaved"\nop = "{op}"\n[execute.inputs]\n'
        text = (
            '+++\nname = "two-steps"\nversion = "1.0.0"\n[[requires.connectors]]\nname = "file://aileron/wellbehaved"\n'
            f'version = "1.0.0"\nhash = "{pinned}"\ncapabilities = ["items:read", "items:write"]\n'
            '[[inputs]]\nname = "url"\ntype = "string"\ndescription = "Where."\n'
            '[[inputs]]\nname = "body"\ntype = "string"\ndescription = "What."\n'
            + step.format(id="look", op="get_json")
            + 'url = "${args.url}"\n'
            + step.format(id="act", op="post_json")
            + 'url = "${args.url}"\nbody = "${args.body}"\n+++\n# Two steps\n\nLooks, then acts.\n'
        )
        (self.world.home / "actions" / "two-steps.md").write_text(text)


def _quietly(act: Callable[[], httpx.Response]) -> httpx.Response | Exception:
    try:
        return act()
    except (httpx.HTTPError, AssertionError, KeyError, ValueError) as broken:
        # The daemon died under the request; what became of it is looked at after the restart.
        return broken
