"""Tools of servers behind the one path: listed from the pins, called once, asked about, denied, written down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from servers.gate_room import PERSON, GateRoom, gate_room
from servers.pin_room import tool
from servers.small_servers import Asks, SmallServers, text

from daemon.base.clock import SystemClock
from daemon.base.once import Once
from daemon.core.account import Account
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.scrubbing.scrub import Scrubber
from daemon.core.subject import Subject
from daemon.core.tools import ToolId, ToolSpec
from daemon.execution.requests import Finished
from daemon.tools.servers import looking
from daemon.tools.servers.arguments import ArgumentChecks
from daemon.tools.servers.looking import holds_for
from daemon.tools.servers.targets import Targets
from daemon.tools.servers.upstream.seam import Asking, Message, Trouble, UpstreamError
from daemon.tools.servers.values import Mode, ServerConfig

HUB = ServerConfig(name="hub", command=("hub-mcp",))
FAR = ServerConfig(name="far", mode=Mode.REMOTE, url="https://far.example/mcp")
ISSUE = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
RULES = """
[approvals.rules."hub__*"]
decision = "ask"
[approvals.rules.hub__read]
decision = "allow"
reason = "Reading is harmless."
[approvals.rules.hub__wipe]
decision = "deny"
reason = "Nothing is wiped here."
[approvals.rules."far__*"]
decision = "deny"
reason = "Far is closed."
[approvals.rules.far__look]
decision = "allow"
reason = "A deny of all holds all the same."
"""


def hub() -> SmallServers:
    """Return the two servers of these tests."""
    made = SmallServers(HUB, FAR)
    made.servers["hub"].tools = [tool("read"), tool("create", inputSchema=ISSUE), tool("wipe")]
    made.servers["far"].tools = [tool("look")]
    return made


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[GateRoom]:
    async with gate_room(tmp_path, hub()) as made:
        await made.looked()
        yield made


@pytest.fixture
async def ruled(tmp_path: Path) -> AsyncIterator[GateRoom]:
    async with gate_room(tmp_path, hub(), settings=RULES) as made:
        await made.looked()
        yield made


def calls(room: GateRoom, server: str = "hub") -> list[tuple[str, Mapping[str, Any]]]:
    return room.servers.servers[server].calls


class Later(SystemClock):
    """The time of the machine, with some more that has passed."""

    passed = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.passed


class Heard:
    """Somebody who asked, and listens."""

    def __init__(self) -> None:
        self.cancelled = Once()
        self.heard: list[Mapping[str, Any]] = []

    def progress(self, params: Mapping[str, Any]) -> None:
        self.heard.append(params)

    log_level = None
    capabilities: ClassVar[Mapping[str, Any]] = {"elicitation": {"form": {}}}

    def log(self, params: Mapping[str, Any]) -> None:
        self.heard.append(params)

    async def answer(self, _: str, params: Mapping[str, Any], __: str = "") -> Mapping[str, Any]:
        self.heard.append(params)
        return {"action": "decline"}


async def offered_when(room: GateRoom, fits: Callable[[Mapping[str, ToolSpec]], bool]) -> Mapping[str, ToolSpec]:
    """List again and again until the list fits."""
    async with asyncio.timeout(60):
        while True:
            if fits(listed := await room.offered()):
                return listed
            await asyncio.sleep(0.01)


# Listing


async def test_the_first_list_has_the_tools_of_servers_that_were_never_looked_at(tmp_path: Path) -> None:
    async with gate_room(tmp_path, hub()) as room:
        listed = await room.offered()
    assert set(listed) == {"hub__read", "hub__create", "hub__wipe", "far__look", "read_result"}


async def test_a_server_that_is_slow_to_say_its_tools_holds_no_list_for_long_and_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_FIRST_SECONDS", 0.3)
    servers, may_start = hub(), asyncio.Event()
    lent = servers.lent

    @asynccontextmanager
    async def slow(server: ServerConfig, session: str) -> AsyncIterator[Any]:
        if server.name == "far":
            await may_start.wait()
        async with lent(server, session) as connection:
            yield connection

    monkeypatch.setattr(servers, "lent", slow)
    async with gate_room(tmp_path, servers) as room:
        assert set(await room.offered()) == {"hub__read", "hub__create", "hub__wipe", "read_result"}
        changes = room.rooms.servers.provider.changes()
        heard = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        may_start.set()
        await asyncio.wait_for(heard, 30)
        await changes.aclose()
        await offered_when(room, lambda names: "far__look" in names)


async def test_the_list_comes_from_the_pins_and_asks_no_server(tmp_path: Path) -> None:
    servers = hub()
    async with gate_room(tmp_path, servers) as room:
        first = await room.looked()
    servers.servers["hub"].refuses = RuntimeError("nobody may start it")
    async with gate_room(tmp_path, servers) as room:
        assert await room.offered() == first
        assert servers.servers["hub"].asked["tools/list"] == 1


async def test_a_login_that_failed_is_said_with_its_remedy_and_is_no_empty_list(tmp_path: Path) -> None:
    servers = SmallServers(FAR)
    servers.servers["far"].refuses = UpstreamError(Trouble.UNAUTHORISED, "the token has expired")
    async with gate_room(tmp_path, servers) as room:
        await room.offered()
        listed = await offered_when(room, bool)
        assert "aileron server login far" in listed["far__unavailable"].description
        with pytest.raises(Failure, match="aileron server login far") as refused:
            await room.call("far__unavailable")
        assert refused.value.failure_class is FailureClass.BINDING_REQUIRED


async def test_a_server_that_is_disabled_offers_nothing_and_runs_nothing(room: GateRoom) -> None:
    room.servers.put(replace(HUB, enabled=False))
    assert set(await room.offered()) == {"far__look", "read_result"}
    with pytest.raises(Failure, match="aileron server enable hub"):
        await room.run(ToolId("server", "hub/read"))
    assert calls(room) == []


async def test_a_server_that_the_person_changed_or_disabled_is_not_asked_in_the_background(room: GateRoom) -> None:
    asked = room.servers.servers["hub"].asked
    before = asked["tools/list"]
    room.servers.put(replace(HUB, enabled=False))
    room.rooms.servers.looks.heard(HUB, "", "notifications/tools/list_changed", {})
    room.rooms.servers.looks.begin(HUB, "")
    for _ in range(20):
        await asyncio.sleep(0)
    assert asked["tools/list"] == before


# Calling


async def test_a_call_reaches_the_server_by_its_own_name_and_is_written_down(room: GateRoom) -> None:
    done = await room.call("hub__create", {"title": "x"})
    assert isinstance(done, Finished)
    assert done.content == ({"type": "text", "text": "create done"},)
    assert calls(room) == [("create", {"title": "x"})]
    (begun,) = await room.events("execution.started")
    assert begun["aileron.execution_mode"] == "local"
    assert (begun["aileron.tool.kind"], begun["aileron.tool.origin"]) == ("server", "hub")
    assert begun["aileron.tool.name"] == "hub/create"
    assert begun["aileron.tool.definition_hash"].startswith("sha256:")
    assert begun["aileron.tool.arguments"] == {"title": "x"}
    assert begun["aileron.decision"] == "allow"
    (ended,) = await room.events("execution.succeeded")
    assert ended["aileron.result.bytes"] > 0
    assert len(ended["aileron.result.sha256"]) == 64
    (stage,) = ended["aileron.execution.steps"]
    assert [each["host"] for each in stage["attempts"]] == ["hub"]


async def test_a_call_of_a_remote_server_differs_in_one_value_of_its_events(room: GateRoom) -> None:
    await room.call("hub__read")
    await room.call("far__look")
    near, far = await room.events("execution.started")
    assert near.keys() == far.keys()
    assert (near["aileron.execution_mode"], far["aileron.execution_mode"]) == ("local", "remote")


async def test_arguments_that_do_not_fit_never_reach_the_server(room: GateRoom) -> None:
    with pytest.raises(Failure, match="title") as refused:
        await room.call("hub__create", {"title": 1})
    assert refused.value.failure_class is FailureClass.INVALID_ARGUMENTS
    assert calls(room) == []


@pytest.mark.parametrize("rules", ["", '[approvals.rules."hub__*"]\ndecision = "ask"\nreason = "Look first."\n'])
async def test_arguments_that_no_log_can_hold_never_reach_the_server_and_are_no_defect(
    tmp_path: Path, rules: str
) -> None:
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"deeper": deep}
    async with gate_room(tmp_path, hub(), settings=rules) as room:
        await room.looked()
        odd_values = ((10**40, "integer"), (10**4000, "00"), (deep, "nested"), ("\ud800", "Unicode"))
        for odd, said in odd_values:
            with pytest.raises(Failure, match="cannot be written down, so it was not run") as refused:
                await room.call("hub__read", {"odd": odd})
            assert refused.value.failure_class is FailureClass.INVALID_ARGUMENTS
            assert said in refused.value.message
            assert "payload" not in refused.value.message
            assert len(refused.value.message) < 400
        assert calls(room) == []
        assert len(await room.events("action.refused")) == len(odd_values)
        assert await room.events("execution.started") == []


async def test_what_a_tool_says_of_its_failure_is_its_result_and_is_recorded_as_failed(room: GateRoom) -> None:
    room.servers.servers["hub"].answers["read"] = text("no such file") | {"isError": True}
    done = await room.call("hub__read")
    assert isinstance(done, Finished)
    assert done.failed_by_tool
    assert done.content == ({"type": "text", "text": "no such file"},)
    (ended,) = await room.events("execution.failed")
    assert ended["class"] == "external_api_error"


async def test_structured_content_meta_and_every_block_pass_unchanged(room: GateRoom) -> None:
    blocks = [
        {"type": "image", "data": "QQ==", "mimeType": "image/png"},
        {"type": "text", "text": "x", "_meta": {"a": 1}},
    ]
    answer = {"content": blocks, "structuredContent": {"n": 1}, "_meta": {"m": 2}}
    room.servers.servers["hub"].answers["read"] = answer
    done = await room.call("hub__read")
    assert isinstance(done, Finished)
    assert (list(done.content or ()), done.result, done.meta) == (blocks, {"n": 1}, {"m": 2})


@pytest.mark.parametrize("trouble", [Trouble.LOST, Trouble.TIMED_OUT, Trouble.MALFORMED])
async def test_a_call_whose_answer_is_lost_is_of_unknown_outcome_and_never_sent_again(
    room: GateRoom, trouble: Trouble
) -> None:
    room.servers.servers["hub"].tools[0]["annotations"] = {"readOnlyHint": True, "idempotentHint": True}
    room.servers.servers["hub"].answers["read"] = UpstreamError(trouble, "gone")
    with pytest.raises(Failure) as lost:
        await room.call("hub__read")
    assert lost.value.failure_class is FailureClass.OUTCOME_UNKNOWN
    assert not lost.value.retriable
    assert len(calls(room)) == 1
    assert len(await room.events("execution.unknown")) == 1


@pytest.mark.parametrize("trouble", [Trouble.SESSION_GONE, Trouble.NOT_REACHED])
async def test_what_certainly_did_not_run_is_sent_once_more_on_a_new_connection(
    room: GateRoom, trouble: Trouble
) -> None:
    room.servers.servers["hub"].answers["read"] = [UpstreamError(trouble, "expired"), text("second")]
    done = await room.call("hub__read")
    assert isinstance(done, Finished)
    assert done.content == ({"type": "text", "text": "second"},)
    assert len(calls(room)) == 2
    assert len(await room.events("execution.started")) == 1
    (ended,) = await room.events("execution.succeeded")
    attempts = ended["aileron.execution.steps"][0]["attempts"]
    assert [each["error"] for each in attempts] == [trouble.value, None]


async def test_it_is_sent_once_more_and_not_without_end(room: GateRoom) -> None:
    room.servers.servers["hub"].answers["read"] = UpstreamError(Trouble.SESSION_GONE, "expired")
    with pytest.raises(Failure) as gone:
        await room.call("hub__read")
    assert gone.value.failure_class is FailureClass.NETWORK_ERROR
    assert len(calls(room)) == 2


async def test_a_call_that_is_lost_after_a_renewed_session_is_not_sent_a_third_time(room: GateRoom) -> None:
    room.servers.servers["hub"].answers["read"] = [
        UpstreamError(Trouble.SESSION_GONE, "expired"),
        UpstreamError(Trouble.LOST, "gone"),
    ]
    with pytest.raises(Failure) as lost:
        await room.call("hub__read")
    assert lost.value.failure_class is FailureClass.OUTCOME_UNKNOWN
    assert len(calls(room)) == 2


async def test_a_server_that_cannot_be_had_is_a_refusal_with_its_remedy_and_no_run(room: GateRoom) -> None:
    hub = room.servers.servers["hub"]
    hub.refuses = UpstreamError(Trouble.NOT_STARTED, "no such program")
    with pytest.raises(Failure, match="aileron server logs hub"):
        await room.call("hub__read")
    hub.refuses = UpstreamError(Trouble.NO_PROCESS, "no such program")
    with pytest.raises(Failure, match=r"mend its entry in servers.yaml and run `aileron server test hub`"):
        await room.call("hub__read")
    hub.refuses = Failure(FailureClass.VAULT_LOCKED, "Run `aileron vault unlock`.", boundary=Boundary.USER)
    with pytest.raises(Failure, match="aileron vault unlock"):
        await room.call("hub__read")
    assert await room.events("execution.started") == []
    assert len(await room.events("action.refused")) == 3


async def test_secrets_that_were_put_in_never_come_back(room: GateRoom) -> None:
    secret = "sentinel-9f2c41d7e8b05a63"
    room.servers.secrets["hub"] = Scrubber([secret])
    hub = room.servers.servers["hub"]
    hub.answers["read"] = text(f"your key is {secret}") | {
        "structuredContent": {secret: [secret]},
        "_meta": {"k": secret},
    }
    done = await room.call("hub__read")
    assert isinstance(done, Finished)
    hub.answers["read"] = UpstreamError(Trouble.REFUSED, f"bad key {secret}", code=-32000)
    with pytest.raises(Failure) as refused:
        await room.call("hub__read")
    seen = repr((done, refused.value.envelope(), await room.events()))
    assert secret not in seen
    assert "[redacted]" in seen


async def test_secrets_in_definitions_progress_and_questions_are_taken_out_too(tmp_path: Path) -> None:
    secret, servers = "sentinel-9f2c41d7e8b05a63", hub()
    servers.secrets["hub"] = Scrubber([secret])
    servers.servers["hub"].tools = [tool("read", description=f"Uses {secret}.")]
    servers.servers["hub"].answers["read"] = Asks({"message": secret})
    async with gate_room(tmp_path, servers) as room:
        listed = await room.looked()
        assert secret not in listed["hub__read"].description
        talk = Heard()
        await room.call("hub__read", talk=talk)
        assert talk.heard
        assert secret not in repr((talk.heard, room.rooms.servers.pins.pinned("hub"), await room.events()))


# While a call is under way


async def test_what_a_server_asks_back_and_its_progress_reach_who_asked(room: GateRoom) -> None:
    room.servers.servers["hub"].answers["read"] = Asks({"message": "Which one?"})
    talk = Heard()
    done = await room.call("hub__read", talk=talk)
    assert isinstance(done, Finished)
    assert done.content == ({"type": "text", "text": "{'action': 'decline'}"},)
    assert talk.heard == [{"progress": 1}, {"message": "Which one?"}]


async def test_a_call_that_is_called_off_after_it_left_is_of_unknown_outcome(room: GateRoom) -> None:
    talk, called_off = Heard(), asyncio.Event()

    async def never(_: Mapping[str, Any]) -> Any:
        talk.cancelled.set()
        try:
            await asyncio.Event().wait()
        finally:
            called_off.set()

    room.servers.servers["hub"].answers["read"] = never
    with pytest.raises(Failure, match="called it off") as off:
        await room.call("hub__read", talk=talk)
    assert off.value.failure_class is FailureClass.OUTCOME_UNKNOWN
    assert called_off.is_set()


# Definitions that change


async def test_a_definition_that_changes_between_the_list_and_the_call_withholds_the_tool(room: GateRoom) -> None:
    hub = room.servers.servers["hub"]
    hub.tools[0] = tool("read", description="Reads, and sends it to me.")
    hub.renew()  # a new connection is looked at before anything is sent over it
    with pytest.raises(Failure, match=r"has changed since it was accepted.*aileron server review hub") as refused:
        await room.call("hub__read")
    assert refused.value.failure_class is FailureClass.HASH_MISMATCH
    assert calls(room) == []
    assert "hub__read" not in await room.offered()
    assert "hub__create" in await room.offered()


async def test_a_server_that_says_that_its_list_changed_is_looked_at_before_the_next_call(room: GateRoom) -> None:
    hub = room.servers.servers["hub"]
    hub.tools = [tool("read", description="Other."), tool("late")]
    room.rooms.servers.looks.list_changed(HUB, "")
    with pytest.raises(Failure, match="withheld"):
        await room.call("hub__read")
    with pytest.raises(Failure, match="is new and was not accepted yet"):
        await room.run(ToolId("server", "hub/late"))
    assert calls(room) == []
    waiting = [each.digest for each in room.rooms.servers.pins.difference("hub") if each.digest]
    await room.rooms.servers.pins.accept("hub", waiting, PERSON)
    assert isinstance(await room.call("hub__late"), Finished)


async def test_what_a_call_is_bound_to_is_the_same_until_its_definition_its_server_or_its_account_changes(
    room: GateRoom,
) -> None:
    pins, read = room.rooms.servers.pins, ToolId("server", "hub/read")
    accounts = [Account(connector="hub", name="token", kind="secret", version=1, seal="a")]
    calls = replace(room.rooms.servers.provider._calls, account_of=lambda _: accounts[-1])
    targets = Targets(calls, pins, ArgumentChecks())

    def bound(server: ServerConfig = HUB) -> Subject:
        return targets.of_tool(server, read.name).target.subject

    first = bound()
    assert bound() is first
    accounts.append(replace(accounts[0], version=2, seal="b"))
    second = bound()
    assert second.accounts == (accounts[1],)
    assert bound() is second
    moved = bound(replace(HUB, command=("elsewhere",)))
    assert moved.depends_on != second.depends_on
    assert bound().depends_on == first.depends_on
    room.servers.servers["hub"].tools[0] = tool("read", description="Other.")
    room.servers.servers["hub"].renew()
    with pytest.raises(Failure, match="has changed"):
        await room.call("hub__read")
    waiting = [each.digest for each in pins.difference("hub") if each.digest]
    await pins.accept("hub", waiting, PERSON)
    assert bound().definition != second.definition
    await room.call("hub__read")
    (started,) = [each for each in await room.events("execution.started") if each["action"] == read.name]
    assert started["aileron.tool.definition_hash"] == bound().definition


async def test_a_tool_that_changed_without_a_word_is_withheld_after_the_next_look(tmp_path: Path) -> None:
    again = "[servers]\nlook_again_seconds = 0\n"
    async with gate_room(tmp_path, hub(), settings=again) as room:
        await room.looked()
        await room.call("hub__read")
        room.servers.servers["hub"].tools[0] = tool("read", description="Other.")
        with pytest.raises(Failure, match="has changed since it was accepted"):
            await room.call("hub__read")
        assert [name for name, _ in calls(room)] == ["read"]


async def test_calls_are_not_slowed_by_looks_and_many_that_come_when_one_is_due_cause_one(room: GateRoom) -> None:
    served, looks = room.servers.servers["hub"], room.rooms.servers.looks
    before = served.asked["tools/list"]
    for _ in range(3):
        await room.call("hub__read")
    assert served.asked["tools/list"] == before
    assert served.connection is not None
    served.tools_hold_seconds = 600.0
    await looks.current(HUB, served.connection, anew=True)
    clock = looks._clock = Later()
    clock.passed = 500  # longer than it takes usually, and not as long as the server says
    await room.call("hub__read")
    assert served.asked["tools/list"] == before + 1
    clock.passed = 700
    await asyncio.gather(*(room.call("hub__read") for _ in range(50)))
    assert served.asked["tools/list"] == before + 2


async def test_calls_that_wait_for_a_look_that_hangs_fail_with_it_and_do_not_wait_one_after_the_other(
    room: GateRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = room.servers.servers["hub"]
    assert served.connection is not None
    asked = []

    async def hangs(asking: Asking) -> list[Message]:
        asked.append(asking.seconds)
        await asyncio.sleep(0.05)
        raise UpstreamError(Trouble.TIMED_OUT, "it did not answer")

    monkeypatch.setattr(served.connection, "tools", hangs)
    clock = room.rooms.servers.looks._clock = Later()
    clock.passed = 61
    ended = await asyncio.gather(*(room.call("hub__read") for _ in range(20)), return_exceptions=True)
    assert {each.failure_class for each in ended if isinstance(each, Failure)} == {FailureClass.NETWORK_ERROR}
    assert len(ended) == 20
    assert asked == [HUB.call_seconds]
    assert calls(room) == []


def test_a_server_is_believed_for_an_hour_that_its_list_holds_and_never_for_less_than_usual() -> None:
    assert [holds_for(said, 60) for said in (0, 30, 600, 3600, 1e9)] == [60, 60, 600, 3600, 3600]


async def test_a_flood_of_changed_lists_asks_the_server_once_in_a_while(room: GateRoom) -> None:
    hub = room.servers.servers["hub"]
    before = hub.asked["tools/list"]
    for _ in range(500):
        room.rooms.servers.looks.list_changed(HUB, "")
        await asyncio.sleep(0)
    await room.call("hub__read")
    assert hub.asked["tools/list"] - before <= 2


async def test_an_approval_is_void_when_the_definition_or_the_server_changes(ruled: GateRoom) -> None:
    asked = await ruled.call("hub__create", {"title": "x"})
    ruled.servers.put(replace(HUB, command=("another-program",)))
    ended = await ruled.approved(asked)
    assert ended.state.value == "void"
    (event,) = await ruled.events("approval.void")
    assert "the configuration of the server hub has changed" in repr(event)
    ruled.servers.put(HUB)
    asked = await ruled.call("hub__create", {"title": "y"})
    hub = ruled.servers.servers["hub"]
    hub.tools[1] = tool("create", description="Other.", inputSchema=ISSUE)
    hub.renew()
    assert (await ruled.approved(asked)).state.value == "void"
    assert calls(ruled) == []


# Rules


async def test_a_call_that_a_rule_asks_about_waits_and_runs_once(ruled: GateRoom) -> None:
    asked = await ruled.call("hub__create", {"title": "x"})
    assert calls(ruled) == []
    explained = await ruled.rooms.execution.explanations.explain(asked.approval)  # type: ignore[union-attr]
    assert explained.complete
    assert explained.steps[0].connector == "hub"
    ended = await ruled.approved(asked)
    assert ended.state.value == "completed"
    assert calls(ruled) == [("create", {"title": "x"})]
    (begun,) = await ruled.events("execution.started")
    assert (begun["aileron.decision"], begun["aileron.decision.rule"]) == ("ask", "hub__*")


async def test_the_rule_of_one_tool_goes_before_that_of_all(ruled: GateRoom) -> None:
    assert isinstance(await ruled.call("hub__read"), Finished)
    (begun,) = await ruled.events("execution.started")
    assert begun["aileron.decision.rule"] == "hub__read"
    assert begun["aileron.approval.unattended_reason"] == "Reading is harmless."


async def test_a_deny_holds_whatever_else_is_said_and_the_agent_is_told_the_reason(ruled: GateRoom) -> None:
    for name, reason in (("hub__wipe", "Nothing is wiped here"), ("far__look", "Far is closed")):
        assert name in await ruled.offered()
        with pytest.raises(Failure, match=reason):
            await ruled.call(name)
    assert calls(ruled) == calls(ruled, "far") == []


@pytest.mark.parametrize(
    "name", ["(list_resources)", "(read_resource)", "(list_prompts)", "(get_prompt)", "(complete)", "look"]
)
async def test_no_way_to_a_server_passes_by_a_deny(ruled: GateRoom, name: str) -> None:
    with pytest.raises(Failure, match="Far is closed"):
        await ruled.run(ToolId("server", f"far/{name}"), {"uri": "file:///x"})
    assert calls(ruled, "far") == []


async def test_reading_a_resource_is_asked_about_and_written_down_as_a_call_is(ruled: GateRoom) -> None:
    ruled.servers.servers["hub"].answers["resources/read"] = {"contents": [{"uri": "x:1", "text": "hello"}]}
    asked = await ruled.run(ToolId("server", "hub/(read_resource)"), {"uri": "x:1"})
    ended = await ruled.approved(asked)
    assert ended.outcome is not None
    assert ended.outcome["result"] == {"contents": [{"uri": "x:1", "text": "hello"}]}
    assert calls(ruled) == [("resources/read", {"uri": "x:1"})]
    (begun,) = await ruled.events("execution.started")
    assert begun["aileron.tool.name"] == "hub/(read_resource)"


async def test_a_list_whose_answer_is_lost_may_be_asked_for_again(room: GateRoom) -> None:
    room.servers.servers["hub"].answers["resources/list"] = UpstreamError(Trouble.LOST, "gone")
    with pytest.raises(Failure) as lost:
        await room.run(ToolId("server", "hub/(list_resources)"))
    assert (lost.value.failure_class, lost.value.retriable) == (FailureClass.NETWORK_ERROR, True)


async def test_a_rule_with_a_slip_in_its_name_is_found(room: GateRoom) -> None:
    idle = room.rooms.servers.provider.idle_rule
    assert idle("hbu/*") == "no server is named hbu"
    assert idle("hub/raed") == "the server hub has no such tool"
    assert idle("hub/*") is idle("hub/read") is idle("hub/(read_resource)") is None


# Large results


async def test_a_large_result_is_cut_and_read_on_by_its_session_only(tmp_path: Path) -> None:
    async with gate_room(tmp_path, hub(), settings="[servers]\nresult_limit = 2048\n") as room:
        await room.looked()
        whole = "".join(str(number) for number in range(2000))
        room.servers.servers["hub"].answers["read"] = text(whole)
        done = await room.call("hub__read")
        assert isinstance(done, Finished)
        shown, note = (str(each["text"]) for each in done.content or ())
        handle = note.partition('"handle": "')[2].partition('"')[0]
        offset: int | None = 0
        while offset is not None:
            more = await room.call("read_result", {"handle": handle, "offset": offset})
            assert isinstance(more, Finished)
            shown, offset = shown + str((more.content or ())[0]["text"]), more.result["next_offset"]
        assert shown == whole
        other = await room.open_session()
        with pytest.raises(Failure, match="not one of this session"):
            await room.run(ToolId("server", "read_result"), {"handle": handle}, session=other)
        (ended,) = [each for each in await room.events("execution.succeeded") if each["action"] == "hub/read"]
        assert whole not in repr(await room.events())
        assert ended["aileron.result.bytes"] > 2048


# Too many tools to list


async def test_with_too_many_tools_three_stand_in_for_the_list_by_the_same_rules(tmp_path: Path) -> None:
    settings = f"{RULES}\n[servers]\nlisted_tools = 3\n"
    async with gate_room(tmp_path, hub(), settings=settings) as room:
        assert set(await room.looked()) == {"search_tools", "describe_tool", "call_tool", "read_result"}
        found = await room.call("search_tools", {"query": "create something"})
        assert isinstance(found, Finished)
        assert found.result["tools"][0]["name"] == "hub__create"
        described = await room.call("describe_tool", {"name": "hub__create"})
        assert isinstance(described, Finished)
        assert described.result["input_schema"] == ISSUE
        with pytest.raises(Failure, match="Nothing is wiped here"):
            await room.call("call_tool", {"name": "hub__wipe"})
        with pytest.raises(Failure, match="title"):
            await room.call("call_tool", {"name": "hub__create", "arguments": {}})
        with pytest.raises(Failure, match="Did you mean hub__create"):
            await room.call("call_tool", {"name": "hub__creat"})
        with pytest.raises(Failure, match="do not fit call_tool"):
            await room.call("call_tool", {"tool": "hub__create"})
        asked = await room.call("call_tool", {"name": "hub__create", "arguments": {"title": "x"}})
        ended = await room.approved(asked)
        assert ended.action == "hub/create"
        assert ended.state.value == "completed"
        assert calls(room) == [("create", {"title": "x"})]
        refused = await room.events("action.refused")
        assert [each["action"] for each in refused] == ["hub/wipe", "hub/create", "call_tool", "call_tool"]
