"""Answers of servers as outcomes of the one path: content, structured content, whether the tool said that it failed."""

from typing import Any

from daemon.core.outcome import Outcome
from daemon.tools.servers.rests import MAX_SESSION, Rests
from daemon.tools.servers.results import cut
from daemon.tools.servers.upstream.seam import Message, Trouble, UpstreamError

READ_ON = "read_result"
"""The tool with which an agent reads on."""

_OF_THE_PROTOCOL = "io.modelcontextprotocol/"
"""What stands under such a name is between the daemon and the server; an agent has a connection of its own."""


class Outcomes:
    """Makes outcomes; what is too large is cut, and the rest kept for the session."""

    def __init__(self, *, rests: Rests, limit: int) -> None:
        self._rests = rests
        self.limit = limit
        """How many characters of a result an agent is given at once."""

    def of_operation(self, answer: Message, *, session: str) -> Outcome:
        """Return the outcome of a request that is not the call of a tool: its answer, as data."""
        data = {key: value for key, value in answer.items() if key != "_meta"}
        return self._cut((), data, session=session, meta=_meta(answer), failed=False)

    def of_tool(self, answer: Message, *, session: str) -> Outcome:
        """Return the outcome of a tool's answer. Raises UpstreamError for one that is none of the protocol."""
        content = answer.get("content", [])
        if not isinstance(content, list):
            raise _no_blocks()
        for block in content:
            if not isinstance(block, dict):
                raise _no_blocks()
        return self._cut(
            tuple(content),
            answer.get("structuredContent"),
            session=session,
            meta=_meta(answer),
            failed=answer.get("isError") is True,
        )

    def _cut(
        self, content: tuple[Message, ...], structured: Any, *, session: str, meta: Message | None, failed: bool
    ) -> Outcome:
        given = cut(content, structured, limit=self.limit)
        if given is None:
            blocks = content if content or structured is None else None
            return Outcome(result=structured, content=blocks, meta=meta, failed_by_tool=failed)
        note = {"type": "text", "text": self._note(session, given.rest)}
        return Outcome(result=given.structured, content=(*given.content, note), meta=meta, failed_by_tool=failed)

    def _note(self, session: str, rest: str) -> str:
        handle = self._rests.keep(session, rest)
        said = f"[The result was cut here: {len(rest)} more characters."
        if handle is None:
            return f"{said} That is more than the {MAX_SESSION} that are kept; ask for less at once.]"
        return f'{said} To read on, call {READ_ON} with {{"handle": "{handle}", "offset": 0}}.]'


def _no_blocks() -> UpstreamError:
    return UpstreamError(Trouble.MALFORMED, "its answer has no blocks of content")


def _meta(answer: Message) -> Message | None:
    given = answer.get("_meta")
    if not isinstance(given, dict):
        return None
    return {key: value for key, value in given.items() if not str(key).startswith(_OF_THE_PROTOCOL)} or None
