"""Who has to go when a listener is full: never who is being answered, and of the others who has waited longest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.lifecycle.lobby import Lobby


class Guest:
    """A connection that notes what happens to it."""

    def __init__(self) -> None:
        self.gone = False
        self.looks = 0.0

    def look(self, elapsed: float) -> None:
        self.looks += elapsed

    def turn_out(self) -> None:
        self.gone = True


def entered(lobby: Lobby, count: int) -> list[Guest]:
    guests = [Guest() for _ in range(count)]
    for guest in guests:
        lobby.enter(guest)
    return guests


def test_of_those_who_ask_nothing_the_first_makes_room() -> None:
    lobby = Lobby(most_open=10, most_unasked=3)
    guests = entered(lobby, 5)
    assert [guest.gone for guest in guests] == [True, True, False, False, False]
    assert lobby.turned_out == 2


def test_who_is_being_answered_is_never_turned_out() -> None:
    lobby = Lobby(most_open=3, most_unasked=3)
    guests = entered(lobby, 3)
    for guest in guests:
        lobby.busy(guest)
    assert not lobby.enter(Guest())
    assert not any(guest.gone for guest in guests)


@pytest.mark.parametrize("state", ["idle", "unasked"])
def test_a_full_listener_lets_a_new_caller_in_for_one_that_waits(state: str) -> None:
    lobby = Lobby(most_open=3, most_unasked=3)
    guests = entered(lobby, 3)
    for guest in guests:
        lobby.busy(guest)
    getattr(lobby, state)(guests[1])
    assert lobby.enter(Guest())
    assert [guest.gone for guest in guests] == [False, True, False]


def test_who_left_is_not_counted() -> None:
    lobby = Lobby(most_open=1, most_unasked=1)
    (first,) = entered(lobby, 1)
    lobby.leave(first)
    lobby.idle(first)  # its last answer may be complete only after it went
    assert lobby.enter(Guest())
    assert len(lobby) == 1
    assert not first.gone


@given(st.lists(st.tuples(st.sampled_from(["enter", "busy", "idle", "unasked", "leave"]), st.integers(0, 7))))
def test_no_order_of_events_breaks_the_limits(events: list[tuple[str, int]]) -> None:
    lobby = Lobby(most_open=4, most_unasked=2)
    inside: dict[int, Guest] = {}
    busy: set[int] = set()
    for what, number in events:
        inside = {n: guest for n, guest in inside.items() if not guest.gone}
        busy &= set(inside)
        if what == "enter" and number not in inside:
            guest = Guest()
            if lobby.enter(guest):
                inside[number] = guest
        elif number in inside and what != "enter":
            getattr(lobby, what)(inside[number])
            (busy.add if what == "busy" else busy.discard)(number)
            if what == "leave":
                del inside[number]
        assert not any(inside[n].gone for n in busy if n in inside)
        assert len(lobby) == sum(not guest.gone for guest in inside.values()) <= 4
