"""`aileron approval watch`: a queue of requests that fills from the daemon and is emptied by words.

A decision is a whole word and Enter. Single keys decide nothing: whoever types into the wrong window, or when a request
comes onto the screen, types letters and Enter, too.
"""

import queue
import threading
import time
from typing import Any

from daemon.cli.approval_shown import show_request
from daemon.cli.client import ControlClient
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.questions_watched import questions_of_servers, write_question
from daemon.cli.rendering import one_line
from daemon.cli.typed_lines import TypedLines
from daemon.core.ids import IdPrefix, is_id

_WORDS = "Type approve, deny (a reason may follow), skip or quit, and press Enter. Anything else decides nothing."
_ENDS = {
    "completed": "has run.",
    "failed": "ran and failed: see aileron approval show.",
    "unknown": "was interrupted; whether it took effect is not known.",
    "void": "was not run, because what was approved has changed.",
}
_TICK_SECONDS = 0.2
_RECONNECT_SECONDS = 1.0


class ApprovalWatch:
    """Shows one pending request at a time on a terminal, or one line for each change elsewhere."""

    def __init__(self, *, invocation: Invocation, client: ControlClient) -> None:
        self._invocation = invocation
        self._client = client
        self._news: queue.SimpleQueue[dict[str, Any] | Exception] = queue.SimpleQueue()
        self._pending: dict[str, dict[str, Any]] = {}
        self._skipped: set[str] = set()
        self._decided: set[str] = set()
        self._states: dict[str, str] = {}
        self._current: str | None = None
        self._approvable = False

    def run(self) -> None:
        """Follow until the person quits or the daemon goes."""
        threading.Thread(target=self._listen, name="approval events", daemon=True).start()
        if self._invocation.prompts.interactive:
            self._decide_by_words()
        else:
            while True:
                self._take(self._news.get())

    def _listen(self) -> None:
        """Put every change into the queue; after each (re)connection, also what was pending before it."""
        try:
            while True:
                self._catch_up()
                try:
                    for event in self._client.events("/v1/approvals/events", on_open=self._catch_up):
                        if isinstance(event.data, dict) and "state" in event.data:
                            self._news.put(event.data)  # approvals, and questions of servers
                except CliFailure:
                    # A stream that broke is opened again; a daemon that is gone fails in the catch-up and ends this.
                    pass
                time.sleep(_RECONNECT_SECONDS)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody sees it, and not in this thread
            self._news.put(error)

    def _catch_up(self) -> None:
        for item in reversed(self._client.get("/v1/approvals", state="pending", limit=1000)["items"]):
            self._news.put(item)

        for item in reversed(questions_of_servers(self._client)):
            self._news.put(item)

    def _take(self, news: dict[str, Any] | Exception) -> None:
        if isinstance(news, Exception):
            raise news
        identifier, state = str(news["id"]), str(news["state"])
        if is_id(identifier, IdPrefix.QUESTION):
            if self._states.get(identifier) != state:
                self._states[identifier] = state
                write_question(self._invocation, news)
            return
        known = self._states.get(identifier)
        if known == state or (known is not None and state == "pending"):
            return  # nothing ever becomes pending again: that is old news from a list read meanwhile
        self._states[identifier] = state
        if state == "pending":
            self._pending[identifier] = news
        else:
            self._pending.pop(identifier, None)
        if self._invocation.prompts.interactive:
            if identifier in self._decided and state in _ENDS:
                self._invocation.output.note(f"{one_line(news['action'])} {_ENDS[state]}", style="dim")
        else:
            self._invocation.output.line(
                f"{one_line(news['created_at'])}  {one_line(identifier)}  {one_line(state)}  {one_line(news['action'])}"
                f"  {one_line(news['session'])}"
            )

    def _decide_by_words(self) -> None:
        output = self._invocation.output
        output.note("Watching for requests. Ctrl-C ends it.", style="dim")
        typed = self._invocation.prompts.typed_lines()
        while True:
            self._take_all()
            if self._current is not None and self._current not in self._pending:
                output.note(
                    f"{one_line(self._current)} is {one_line(self._states[self._current])} now.", style="yellow"
                )
                self._current = None
            if self._current is None:
                self._show_next(typed)
            try:
                line = typed.read(_TICK_SECONDS)
            except EOFError:
                return
            if line is None:
                continue
            word, _, rest = line.strip().partition(" ")
            if word in ("q", "quit") and not rest:
                return
            if self._current is not None:
                self._act(self._current, word, rest.strip())

    def _take_all(self) -> None:
        while True:
            try:
                self._take(self._news.get_nowait())
            except queue.Empty:
                return

    def _show_next(self, typed: TypedLines) -> None:
        output = self._invocation.output
        for identifier in self._pending:
            if identifier in self._skipped:
                continue
            self._current = identifier
            output.line()
            output.line("-" * 60, style="dim")
            try:
                item = self._client.get("/v1/approvals/{}", identifier)
                self._approvable = show_request(self._invocation, self._client, item)
            except CliFailure as failure:
                output.failure(failure)
                self._approvable = False
            # What was typed before the request could be read must not decide it.
            typed.forget()
            output.note(_WORDS, style="bold")
            return

    def _act(self, identifier: str, word: str, rest: str) -> None:
        output = self._invocation.output
        if word in ("s", "skip") and not rest:
            self._skipped.add(identifier)
            self._current = None
            output.note("Skipped; it stays open.", style="dim")
        elif word == "approve" and not rest and not self._approvable:
            output.note("It was not approved: what would run cannot be shown in full.", style="bold red")
        elif word == "approve" and not rest:
            self._decide(identifier, "approve", {})
        elif word == "deny":
            self._decide(identifier, "deny", {"reason": rest} if rest else {})
        else:
            output.note(f"Nothing was decided. {_WORDS}")

    def _decide(self, identifier: str, decision: str, body: dict[str, str]) -> None:
        output = self._invocation.output
        self._decided.add(identifier)
        try:
            self._take(self._client.post(f"/v1/approvals/{{}}/{decision}", identifier, body=body))
        except CliFailure as failure:
            output.failure(failure)
            self._skipped.add(identifier)
        else:
            approved = decision == "approve"
            output.note("Approved." if approved else "Denied.", style="green" if approved else "red")
        self._current = None
