"""One life of a daemon after another on the same home: arm a fault, act, die, come back, look at what is true."""

import contextlib
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from crash.ledger import FINAL, Ledger
from servers.served_world import ServedWorld
from services.upstream import UpstreamProcess

COMMIT_POINTS = ("audit.before_insert", "audit.before_commit", "audit.after_commit")
SEAL_POINTS = ("audit.before_seal", "audit.seal_written", "audit.after_seal")
AUDIT_POINTS = (*COMMIT_POINTS, *SEAL_POINTS)
RUN_POINTS = (
    "execution.before_turn",
    "execution.place_taken",
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
ANSWERING = "while the service answers"
ANSWERED = "after the service answered"
ANYTIME = "at any time"
QUEUED = "while its call only queues"
QUEUED_ACT = "approval behind a spinning call"
SERVER_ACT = "server's tool"
SERVER_APPROVAL_ACT = "approved tool of a server"
APPROVAL_ACTS = frozenset(("approval", QUEUED_ACT, SERVER_APPROVAL_ACT))
RECOVERY = "while it comes back"
MOMENTS = frozenset((UPSTREAM, ANSWERING, ANSWERED, ANYTIME, QUEUED))
ANYTIME_SECONDS = 0.08


@dataclass(frozen=True)
class Cycle:
    """What is done and where it is cut off."""

    act: str
    point: str
    count: int = 1
    again: bool = False
    """The daemon is cut off once more at the same point, while it settles what the first cut left behind."""

    def __str__(self) -> str:
        return f"{self.act} killed at {self.point}:{self.count}{' ' + RECOVERY if self.again else ''}"


def plan() -> Iterator[Cycle]:
    """Yield every kind of cut once."""
    for act in ("post", "get", "two steps", "several"):
        for point in (*RUN_POINTS, *AUDIT_POINTS):
            yield Cycle(act, point)
        yield Cycle(act, "audit.before_commit", 2)
        yield Cycle(act, "audit.after_commit", 2)
        for moment in (UPSTREAM, ANSWERING, ANSWERED, ANYTIME):
            yield Cycle(act, moment)
    yield Cycle("two steps", "execution.before_send", 2)
    yield Cycle("two steps", "audit.after_commit", 3)
    yield Cycle("several", "execution.before_finished", 3)
    for point in (*APPROVAL_POINTS, *RUN_POINTS, UPSTREAM, ANSWERING, ANSWERED, ANYTIME):
        yield Cycle("approval", point)
    for count in (1, 2, 3, 4):
        for point in COMMIT_POINTS:
            yield Cycle("approval", point, count)
    yield from _of_servers()
    yield Cycle(QUEUED_ACT, QUEUED)
    yield Cycle(QUEUED_ACT, "execution.before_turn", 2)
    for point in (*VAULT_POINTS, *AUDIT_POINTS):
        yield Cycle("secret", point)
    for point in STORE_POINTS:
        yield Cycle("install", point)
    for point in COMMIT_POINTS:
        for count in (1, 2, 3):
            yield Cycle("several", point, count, again=True)
    for point in SEAL_POINTS:
        yield Cycle("several", point, again=True)


def _of_servers() -> Iterator[Cycle]:
    for act in (SERVER_ACT, SERVER_APPROVAL_ACT):
        for point in (*RUN_POINTS, *COMMIT_POINTS, UPSTREAM, ANSWERING, ANSWERED, ANYTIME):
            yield Cycle(act, point)
    for count in (2, 3, 4):
        yield Cycle(SERVER_APPROVAL_ACT, "audit.after_commit", count)


class Lives:
    """A home whose daemon is killed over and over."""

    def __init__(self, folder: Path, upstream: UpstreamProcess, *, seed: int) -> None:
        folder.mkdir()
        self.random = random.Random(seed)
        self.upstream = upstream
        # Two places to compute: a session has one of them, and while a guest of its own spins there, its others queue.
        # Checkpoints so often that every act makes some.
        settings = "[limits]\nactive_guests = 2\n[audit]\ncheckpoint_every = 2\n"
        settings += '[approvals.rules.shop__ask]\ndecision = "ask"\n'
        shop = [sys.executable, "-Es", str(Path(__file__).with_name("shop_server.py"))]
        self.world = ServedWorld(folder, {"shop": shop}, upstream=upstream.url, settings=settings)
        self.armed = folder / "fault"
        self.log = folder / "fault-points"
        self.kills = 0
        self._serial = 0
        self._session = ("", "")
        self._ledger = Ledger()
        self._approved = threading.Event()

    def begin(self, **environment: str) -> None:
        """Set the home up."""
        self._start(**environment)
        self.world.set_up("wellbehaved", "hostile")
        self._session = self.world.session()
        self.world.add_action("post")
        self.world.add_action("get", op="get_json", inputs={"url": "${args.url}"})
        self.world.add_action("approval", approval=True)
        self.world.add_action(
            "spin", connector="hostile", op="spin", capabilities=("mischief",), inputs={}, timeout="5m"
        )
        self._two_steps()
        self.world.look(self._session[1], "shop__ask")

    def rehearse(self) -> set[str]:
        """Do everything once without being killed, and return the fault points that were passed."""
        self.begin(AILERON_FAULT_LOG=str(self.log))
        for act in ("post", "get", "two steps", "approval", SERVER_ACT, SERVER_APPROVAL_ACT, "secret", "install"):
            self._serial += 1
            for work in self._acts(act, [f"/k/{self._serial}/0"]):
                assert work().is_success, f"{act} does not work even in peace"
        return set(self.log.read_text().split())

    def live(self, cycle: Cycle) -> None:
        """Act, die, come back, and insist on the promises."""
        self._serial += 1
        self._approved.clear()
        self.upstream.forget()
        paths = [f"/k/{self._serial}/{number}" for number in range(4 if cycle.act == "several" else 1)]
        for path in paths:
            if cycle.point == UPSTREAM or cycle.again:
                self.upstream.behave(path, delay=30)
            elif cycle.point == ANSWERING:
                self.upstream.behave(path, json={"long": "answer"}, drip=5)
        if cycle.point not in MOMENTS and not cycle.again:
            self.armed.write_text(f"{cycle.point}:{cycle.count}")
        answers = self._act_and_die(cycle, paths)
        seen = {path: len(self.upstream.seen(path)) for path in paths}
        for path in paths:
            self.upstream.behave(path)
        if cycle.again:
            self._die_coming_back(cycle)
        self._start()
        self.world.unlock()
        if cycle.act in APPROVAL_ACTS:
            self._finish_approvals()
        self._insist(cycle, paths, seen, answers)

    def _act_and_die(self, cycle: Cycle, paths: list[str]) -> list[httpx.Response | Exception]:
        with ThreadPoolExecutor(6) as pool:
            acting = [pool.submit(_quietly, act) for act in self._acts(cycle.act, paths)]
            if cycle.point == QUEUED:
                assert self._approved.wait(20), f"{cycle}: nothing was approved"
                time.sleep(self.random.random() * ANYTIME_SECONDS)
                self.world.kill()
            elif cycle.again:
                for path in paths:
                    self.upstream.wait_for(1, path=path)
                self.world.kill()
            elif cycle.point == ANYTIME:
                time.sleep(self.random.random() * ANYTIME_SECONDS)
                self.world.kill()
            elif cycle.point in MOMENTS:
                self.upstream.wait_for(1, path=paths[0])
                self.world.kill()
            answers = [future.result() for future in acting]
            if self.world.process is not None:
                assert self.world.wait_dead(10) == -9, f"{cycle}: the fault point was not reached: {answers}"
        self.kills += 1
        self.armed.unlink(missing_ok=True)
        return answers

    def _die_coming_back(self, cycle: Cycle) -> None:
        self.armed.write_text(f"{cycle.point}:{cycle.count}")
        self.world.process = self.world.spawn(AILERON_FAULT_FILE=str(self.armed))
        assert self.world.wait_dead(30) == -9, (
            f"{cycle}: the fault point was not reached: {self.world.output()[-2000:]}"
        )
        self.kills += 1
        self.armed.unlink()

    def _start(self, **environment: str) -> None:
        self.world.start(AILERON_FAULT_FILE=str(self.armed), **environment)

    def _acts(self, act: str, paths: list[str]) -> list[Callable[[], httpx.Response]]:
        if act == "approval":
            return [lambda: self._ask_and_approve(paths[0])]
        if act == QUEUED_ACT:
            return [self._spin, lambda: self._queue_approved(paths[0])]
        if act == SERVER_ACT:
            return [lambda: self._call_server("post", paths[0])]
        if act == SERVER_APPROVAL_ACT:
            return [lambda: self._ask_and_approve(paths[0], ask=partial(self._call_server, "ask"))]
        if act == "secret":
            return [self._keep_secret]
        if act == "install":
            return [self._install_anew]
        action = {"two steps": "two-steps", "several": "post"}.get(act, act)
        return [partial(self._run, action, path) for path in paths]

    def _run(self, action: str, path: str) -> httpx.Response:
        arguments = {"url": f"{self.world.upstream}{path}"} | ({} if action == "get" else {"body": '{"n":1}'})
        return self.world.agent("POST", f"/v1/actions/{action}/run", {"arguments": arguments}, token=self._session[1])

    def _call_server(self, tool: str, path: str) -> httpx.Response:
        arguments = {"url": f"{self.world.upstream}{path}", "body": "once"}
        return self.world.agent(
            "POST", f"/v1/tools/shop__{tool}/call", {"arguments": arguments}, token=self._session[1]
        )

    def _ask_and_approve(
        self, path: str, *, only_queues: bool = False, ask: Callable[[str], httpx.Response] | None = None
    ) -> httpx.Response:
        asked = self._run("approval", path) if ask is None else ask(path)
        approval = asked.json()["approval_id"]
        if only_queues:
            self._ledger.queued(approval)
        self._ledger.said(approval, {"pending", "approved", "running", *FINAL})
        if self.world.control("POST", f"/v1/approvals/{approval}/approve", {}).is_success:
            self._ledger.said(approval, {"approved", "running", *FINAL})
            self._approved.set()
        return self.world.agent(
            "GET", f"/v1/action-approvals/{approval}/result?wait=20", token=self._session[1], timeout=30
        )

    def _spin(self) -> httpx.Response:
        """Hold the session's only place to compute until the daemon dies."""
        return self.world.agent("POST", "/v1/actions/spin/run", {"arguments": {}}, token=self._session[1])

    def _queue_approved(self, path: str) -> httpx.Response:
        deadline = time.monotonic() + 20
        while self._open_executions() == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
        return self._ask_and_approve(path, only_queues=True)

    def _keep_secret(self) -> httpx.Response:
        name = f"secret-{self._serial}"
        answer = self.world.control("PUT", "/v1/secrets", {"name": name, "value": "v" * self._serial})
        if answer.is_success:
            self._ledger.secrets.add(name)
        return answer

    def _install_anew(self) -> httpx.Response:
        pinned = self.world.hashes["wellbehaved"]
        try:
            self._ledger.connectors.add(self.world.install("wellbehaved", version=f"1.0.{self._serial}"))
        finally:
            self.world.hashes["wellbehaved"] = pinned
        return self.world.control("GET", "/v1/connectors")

    def _finish_approvals(self) -> None:
        """Approve what is still pending, and wait until nothing is open."""
        self._ledger.check_approvals(self._approvals(), "right after the start")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            states = self._approvals()
            for approval, state in states.items():
                if state == "pending":
                    self.world.ok("POST", f"/v1/approvals/{approval}/approve", {})
            if set(states.values()) <= FINAL:
                return
            time.sleep(0.02)
        raise AssertionError(f"approvals stay open: {states}")

    def _approvals(self) -> dict[str, str]:
        return {a["id"]: a["state"] for a in self.world.ok("GET", "/v1/approvals?limit=1000")["items"]}

    def _insist(
        self,
        cycle: Cycle,
        paths: list[str],
        seen: dict[str, int],
        answers: list[httpx.Response | Exception],
    ) -> None:
        report = self.world.verify()
        assert report["ok"], f"{cycle}: {report['problems']}"
        assert self._open_executions() == 0, f"{cycle}: an execution was left open"
        ledger = self._ledger
        ledger.take(self.world.events(after_seq=ledger.seq), cycle)
        if cycle.act in APPROVAL_ACTS:
            states = self._approvals()
            ledger.check_approvals(states, cycle)
            ledger.check_outcomes(states, cycle)
            ledger.check_spent(states, cycle)
        if cycle.act == QUEUED_ACT:
            assert not any(seen.values()), f"{cycle}: a call ran while another held its session's only place"
            ledger.check_queued(self._approvals(), cycle)
        if cycle.act == "secret":
            kept = {item["name"] for item in self.world.ok("GET", "/v1/secrets")["items"]}
            assert ledger.secrets <= kept, f"{cycle}: a secret that was kept is gone"
        if cycle.act == "install":
            held = {item["hash"] for item in self.world.ok("GET", "/v1/connectors")["items"]}
            assert ledger.connectors <= held, f"{cycle}: a connector that was installed is gone"
        for path in paths:
            arrived = self.upstream.seen(path)
            posted = len([request for request in arrived if request.method == "POST"])
            assert posted <= 1, f"{cycle}: the service was asked twice"
            # No run is taken up again after a restart, so that even what may be repeated is not.
            assert len(arrived) - posted <= 1, f"{cycle}: a read was sent twice"
            ledger.check_path(path, posted=posted, arrived=len(arrived), before_restart=seen[path], cycle=cycle)
        for answer in answers:
            if isinstance(answer, httpx.Response) and answer.status_code == 200 and "audit_id" in answer.json():
                ledger.check_answer(answer.json(), cycle)
        assert "Traceback" not in self.world.output(), f"{cycle}: {self.world.output()[-3000:]}"

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
