"""Decides which connections a listener keeps and which one it closes when it is full. No sockets here."""

from typing import Protocol


class Visitor(Protocol):
    """One connection."""

    def look(self, elapsed: float) -> None:
        """Leave if something takes too long; so many seconds went by since the last look."""
        ...

    def turn_out(self) -> None:
        """Leave at once."""
        ...


class Lobby:
    """Knows the connections of one listener.

        enter --> unasked --- a whole head came ---> busy --- all was answered ---> idle
                     ^                                ^                              | |
                     |                                +------ a whole head came -----+ |
                     +--------------------- a part of a head came ---------------------+

    Who is busy is never turned out. Of the others the one that has waited longest goes first. So somebody who opens
    connections and asks nothing pushes out their own, and somebody who connects and asks at once gets an answer.
    """

    def __init__(self, *, most_open: int, most_unasked: int) -> None:
        self._most_open = most_open
        self._most_unasked = most_unasked
        self._all: set[Visitor] = set()
        # In the order of coming; a dict is the ordered set that Python has.
        self._unasked: dict[Visitor, None] = {}
        self._idle: dict[Visitor, None] = {}
        self.turned_out = 0
        """How many had to go, or were not let in, because there was no room."""

    def __len__(self) -> int:
        """Count the connections."""
        return len(self._all)

    def enter(self, visitor: Visitor) -> bool:
        """Let a new connection in, perhaps in place of another one; False: there is no room."""
        if len(self._all) >= self._most_open and not self.make_room():
            self.turned_out += 1
            return False
        self._all.add(visitor)
        self.unasked(visitor)
        return True

    def unasked(self, visitor: Visitor) -> None:
        """Note that a connection has sent nothing, or a part of a head."""
        if visitor not in self._all:
            return  # it was turned out, and what it sent before is read only now
        self._idle.pop(visitor, None)
        self._unasked.setdefault(visitor)
        if len(self._unasked) > self._most_unasked:
            self._turn_out(next(iter(self._unasked)))

    def busy(self, visitor: Visitor) -> None:
        """Note that a connection has sent a whole head."""
        self._unasked.pop(visitor, None)
        self._idle.pop(visitor, None)

    def idle(self, visitor: Visitor) -> None:
        """Note that everything that was asked on a connection was answered."""
        if visitor in self._all:
            self._idle[visitor] = None

    def leave(self, visitor: Visitor) -> None:
        """Forget a connection that has ended."""
        self._all.discard(visitor)
        self._unasked.pop(visitor, None)
        self._idle.pop(visitor, None)

    def make_room(self) -> bool:
        """Turn one out that is not being answered; say whether there was one."""
        for waiting in (self._idle, self._unasked):
            if waiting:
                self._turn_out(next(iter(waiting)))
                return True
        return False

    def look(self, elapsed: float) -> None:
        """Let every connection see to its times."""
        for visitor in list(self._all):
            visitor.look(elapsed)

    def _turn_out(self, visitor: Visitor) -> None:
        self.leave(visitor)
        self.turned_out += 1
        visitor.turn_out()
