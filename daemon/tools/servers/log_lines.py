"""Lines that a server writes for the log, on their way to who asked for the call: few, short, and without secrets."""

import json
from collections.abc import Callable

from daemon.base.clock import Clock
from daemon.execution.seam import Talk
from daemon.tools.servers.upstream.seam import Message

_AT_ONCE = 50
_EACH_SECOND = 20.0
_SAID_SECONDS = 1.0
"""How often it is said that lines were left out."""
_LONGEST = 8192
"""Characters of one line, written as JSON. A longer one is cut, and is then a text."""
_LONGEST_LOGGER = 200


class CallLines:
    """What one call's server writes for the log. What is too much is counted, and not handed on."""

    def __init__(
        self, talk: Talk, *, level: str, session: str, clean: Callable[[Message], Message], clock: Clock
    ) -> None:
        self._talk = talk
        self._clean = clean
        self._clock = clock
        self._level = level
        self._session = session
        self._room = float(_AT_ONCE)
        self._looked_at = clock.monotonic()
        self._left_out = 0
        self._said_at = float("-inf")

    @property
    def level(self) -> str:
        """Return the lowest level that is wanted."""
        return self._level

    @property
    def session(self) -> str:
        """Return whose call it is."""
        return self._session

    def line(self, params: Message) -> None:
        """Hand on one line, or count it. Only what is handed on is searched for secrets: that takes time."""
        now = self._clock.monotonic()
        self._room = min(float(_AT_ONCE), self._room + (now - self._looked_at) * _EACH_SECOND)
        self._looked_at = now
        if self._room < 1:
            self._left_out += 1
            return
        self._room -= 1
        if now - self._said_at >= _SAID_SECONDS:
            self._say_what_was_left_out()
        self._talk.log(_short(self._clean(params)))

    def close(self) -> None:
        """Say how many lines were left out last: the call is over."""
        self._say_what_was_left_out()

    def _say_what_was_left_out(self) -> None:
        if self._left_out:
            said = f"{self._left_out} lines of the server were left out: it wrote more than {_EACH_SECOND:g} a second."
            self._talk.log({"level": "warning", "logger": "aileron", "data": said})
            self._left_out, self._said_at = 0, self._clock.monotonic()


def _short(params: Message) -> Message:
    data, logger = params.get("data"), params.get("logger")
    written = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    cut = {"data": f"{written[:_LONGEST]} ... (cut)"} if len(written) > _LONGEST else {"data": data}
    named = {"logger": logger[:_LONGEST_LOGGER]} if isinstance(logger, str) else {}
    return {"level": params.get("level"), **named, **cut}
