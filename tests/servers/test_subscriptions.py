"""Resources that sessions watch: who is told of what, how often, and how much of it there may be."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers.gate_room import GateRoom, gate_room
from servers.small_servers import SmallServers
from waiting import eventually

from daemon.core.failures import Failure, FailureClass
from daemon.core.tools import ToolId
from daemon.tools.servers.subscriptions import MOST_OF_A_SESSION, SUBSCRIBE, UNSUBSCRIBE, UPDATED
from daemon.tools.servers.upstream.seam import Trouble, UpstreamError
from daemon.tools.servers.values import ServerConfig

HUB = ServerConfig(name="hub", command=("hub",))


class Told:
    """What sessions were told of."""

    def __init__(self, room: GateRoom) -> None:
        self.heard: list[tuple[str, str, str]] = []
        room.rooms.servers.subscriptions.listen(lambda *each: self.heard.append(each))


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[GateRoom]:
    async with gate_room(tmp_path, SmallServers(HUB)) as made:
        await made.looked()
        yield made


async def watch(room: GateRoom, address: str, session: str | None = None, how: str = "(subscribe)") -> None:
    """Have a session watch a resource, as an agent asks for it."""
    await room.run(ToolId("server", f"hub/{how}"), {"uri": address}, session=session)


def asked(room: GateRoom, method: str) -> list[str]:
    """Return the addresses that the server was asked with."""
    return [str(given["uri"]) for name, given in room.servers.servers["hub"].calls if name == method]


def say(room: GateRoom, address: str) -> None:
    """Have the server say that a resource has changed."""
    room.rooms.servers.told.tell(HUB, "", UPDATED, {"uri": address})


async def test_a_session_that_watches_without_end_is_refused_at_a_number_and_others_are_not(room: GateRoom) -> None:
    for number in range(MOST_OF_A_SESSION):
        await watch(room, f"n{number}")
    await watch(room, "n0")  # it is watched already
    for number in range(MOST_OF_A_SESSION, MOST_OF_A_SESSION + 50):
        with pytest.raises(Failure) as refused:
            await watch(room, f"n{number}")
        assert refused.value.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED
    assert len(asked(room, SUBSCRIBE)) == MOST_OF_A_SESSION
    await watch(room, "another", await room.open_session())


async def test_only_those_who_watch_a_resource_are_told_and_of_nothing_else(room: GateRoom) -> None:
    told, other = Told(room), await room.open_session()
    await watch(room, "note:///mine")
    await watch(room, "note:///theirs", other)
    for address in ("note:///nobody's", "note:///mine", "note:///theirs", "note:///min", "", "note:///mine2"):
        say(room, address)
    room.rooms.servers.told.tell(HUB, "ses_x", UPDATED, {"uri": "note:///mine"})
    room.rooms.servers.told.tell(HUB, "", UPDATED, {"uri": 7})
    assert told.heard == [(room.session, "hub", "note:///mine"), (other, "hub", "note:///theirs")]


async def test_a_part_of_a_watched_resource_counts_as_it(room: GateRoom) -> None:
    told = Told(room)
    await watch(room, "note:///all")
    say(room, "note:///all/one/two")
    assert told.heard == [(room.session, "hub", "note:///all")]


async def test_a_server_that_floods_changes_is_told_of_once_in_a_while_and_the_last_one_is_not_lost(
    room: GateRoom,
) -> None:
    told = Told(room)
    await watch(room, "note:///one")
    for _ in range(5000):
        say(room, "note:///one")
    assert len(told.heard) == 1
    await eventually(lambda: len(told.heard) == 2)


async def test_a_resource_that_the_server_refuses_is_not_watched_and_the_next_wish_asks_again(room: GateRoom) -> None:
    room.servers.servers["hub"].answers[SUBSCRIBE] = UpstreamError(Trouble.REFUSED, "no such resource", code=-32602)
    for _ in range(2):
        with pytest.raises(Failure, match="no such resource"):
            await watch(room, "note:///gone")
    assert len(asked(room, SUBSCRIBE)) == 2
    assert UNSUBSCRIBE not in dict(room.servers.servers["hub"].calls)


async def test_what_ended_sessions_watched_is_unsubscribed_and_the_server_let_go(room: GateRoom) -> None:
    sessions = [await room.open_session() for _ in range(2)]
    for session in sessions:
        await watch(room, "note:///one", session)
    await room.rooms.sessions.end(sessions[0], reason="over", actor=room.agent)
    await asyncio.sleep(0.05)
    assert asked(room, UNSUBSCRIBE) == []
    await room.rooms.sessions.end(sessions[1], reason="over", actor=room.agent)
    await eventually(lambda: asked(room, UNSUBSCRIBE) == ["note:///one"])


async def test_a_new_connection_has_all_that_is_watched_and_its_watchers_look_again(room: GateRoom) -> None:
    told = Told(room)
    await watch(room, "note:///one")
    room.servers.servers["hub"].renew()
    await eventually(lambda: asked(room, SUBSCRIBE) == ["note:///one"] * 2)
    await eventually(lambda: told.heard == [(room.session, "hub", "note:///one")])


@pytest.mark.parametrize("address", ["", "x" * 5000, None, 7])
async def test_what_names_no_resource_is_refused_before_the_server_is_asked(room: GateRoom, address: object) -> None:
    with pytest.raises(Failure) as refused:
        await room.run(ToolId("server", "hub/(subscribe)"), {"uri": address})
    assert refused.value.failure_class is FailureClass.INVALID_ARGUMENTS
    assert asked(room, SUBSCRIBE) == []
