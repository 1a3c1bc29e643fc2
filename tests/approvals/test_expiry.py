"""Expiry: within a life of the daemon by the steady clock, and never later than either clock says."""

from pathlib import Path

import pytest
from approval_room import ApprovalRoom, TwoClocks, open_room

from daemon.api.browser import COOKIE, BrowserSessions
from daemon.approvals.service import StaleApprovalError
from daemon.base.clock import Deadline
from daemon.core.principal import Means, Principal
from daemon.sessions.service import SessionKind
from daemon.sessions.tokens import Capability, TokenError, restrict

YOU = Principal.person(Means.CLI)

DAY = 86_400.0
PASSINGS = {
    "both clocks go on": (61.0, 61.0),
    "the wall clock was set back": (-DAY, 61.0),
    "the wall clock was set forward": (DAY, 1.0),
    "the machine slept, so that the steady clock stood still": (61.0, 0.0),
}


@pytest.fixture(params=PASSINGS.values(), ids=PASSINGS.keys())
def passing(request: pytest.FixtureRequest) -> tuple[float, float]:
    """Offer every way in which a minute can pass for one of the clocks."""
    passing: tuple[float, float] = request.param
    return passing


def let_pass(clock: TwoClocks, passing: tuple[float, float]) -> None:
    clock.move(wall=passing[0], steady=passing[1])


async def test_a_request_expires_as_soon_as_either_clock_says_so(tmp_path: Path, passing: tuple[float, float]) -> None:
    async with open_room(tmp_path) as room:
        asked = await room.ask(expires_seconds=60)
        await room.approvals.expire_due()
        assert await room.state(asked) == "pending"
        let_pass(room.clock, passing)
        await room.approvals.expire_due()
        assert await room.state(asked) == "expired"


async def test_an_approval_that_is_over_by_either_clock_cannot_be_spent(
    tmp_path: Path, passing: tuple[float, float]
) -> None:
    async with open_room(tmp_path) as room:
        asked = await room.ask(expires_seconds=60)
        approved = await room.approvals.decide(asked.id, approve=True, by=YOU)
        let_pass(room.clock, passing)
        with pytest.raises(StaleApprovalError, match="it expired"), room.engine.begin() as connection:
            room.approvals.spending(approved, execution="exe_1")(connection)
        assert await room.state(asked) == "approved"


@pytest.mark.parametrize("approve", [True, False])
async def test_a_request_that_is_over_by_either_clock_cannot_be_decided(
    tmp_path: Path, passing: tuple[float, float], approve: bool
) -> None:
    async with open_room(tmp_path) as room:
        asked = await room.ask(expires_seconds=60)
        let_pass(room.clock, passing)
        with pytest.raises(StaleApprovalError, match="it expired"):
            await room.approvals.decide(asked.id, approve=approve, by=YOU)


async def test_a_restart_with_the_wall_clock_set_back_grants_no_more_than_the_whole_span(tmp_path: Path) -> None:
    clock = TwoClocks()
    async with open_room(tmp_path, clock=clock) as room:
        asked = await room.ask(expires_seconds=60)
        _, token = await open_session(room, 60)
    clock.move(wall=-DAY)
    async with open_room(tmp_path, clock=clock) as room:
        clock.move(steady=61)
        await room.approvals.expire_due()
        assert await room.state(asked) == "expired"
        with pytest.raises(TokenError):
            room.sessions.check_token(token)


async def open_session(room: ApprovalRoom, seconds: float) -> tuple[str, str]:
    session, token = await room.sessions.open(
        kind=SessionKind.API,
        label="test",
        capabilities=tuple(Capability),
        lifetime_ms=int(seconds * 1000),
        actor=YOU,
    )
    return session.id, token


async def test_a_session_and_its_token_end_as_soon_as_either_clock_says_so(
    tmp_path: Path, passing: tuple[float, float]
) -> None:
    async with open_room(tmp_path) as room:
        session, token = await open_session(room, 60)
        room.sessions.check_token(token)
        let_pass(room.clock, passing)
        assert not room.sessions.is_open(session)
        with pytest.raises(TokenError):
            room.sessions.check_token(token)
        assert [ended.id for ended in await room.sessions.end_expired()] == [session]


async def test_a_token_that_was_narrowed_to_an_earlier_end_keeps_to_the_steady_clock_too(
    tmp_path: Path, passing: tuple[float, float]
) -> None:
    async with open_room(tmp_path) as room:
        _, token = await open_session(room, 10 * DAY)
        narrow = restrict(token, f"expires={room.clock.wall_ms + 60_000}")
        room.sessions.check_token(narrow)
        let_pass(room.clock, passing)
        room.sessions.check_token(token)
        with pytest.raises(TokenError, match="expired"):
            room.sessions.check_token(narrow)


def test_a_link_and_a_browser_session_end_as_soon_as_either_clock_says_so(passing: tuple[float, float]) -> None:
    clock = TwoClocks()
    browsers = BrowserSessions(clock=clock, entropy=lambda count: bytes(range(count)))
    late = browsers.make_link("/")
    let_pass(clock, passing)
    assert browsers.redeem(late) is None
    redeemed = browsers.redeem(browsers.make_link("/"))
    assert redeemed is not None
    cookie = {"cookie": f"{COOKIE}={redeemed[0]}"}
    assert browsers.find(cookie) is not None
    let_pass(clock, (passing[0] * 8 * 60, passing[1] * 8 * 60))
    assert browsers.find(cookie) is None


def test_a_deadline_brought_forward_never_moves_back() -> None:
    clock = TwoClocks()
    end = Deadline.of(clock, since_ms=clock.wall_ms, until_ms=clock.wall_ms + 60_000)
    assert end.brought_forward(clock.wall_ms + 90_000) == end
    assert end.brought_forward(clock.wall_ms + 30_000).steady == clock.steady + 30
