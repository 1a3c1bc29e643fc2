"""Tells a person what takes its time, how far it is, and how long it may take.

On a terminal it is one line that changes every second, and is gone at the end. Elsewhere it is a line after ten
seconds, after twenty, after forty and so on, so that a log says what hangs and is not filled.
"""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

DELAY_SECONDS = 1.0
"""What is quicker says nothing."""
_REFRESH_SECONDS = 1.0
_FIRST_LINE_SECONDS = 10.0


def span_of(seconds: float) -> str:
    """Write a time as a clock does: 0:07, 12:30."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def words(message: str, detail: str, elapsed: float, about: float | None) -> str:
    """Return the line that is shown."""
    usual = "" if about is None else f" of about {span_of(max(about, 1.0))}"
    return f"{message}{f', {detail}' if detail else ''} ({span_of(elapsed)}{usual})"


class Waiting:
    """One thing that takes its time. `detail` says how far it is, and may be changed by any thread."""

    def __init__(
        self,
        message: str,
        *,
        about: float | None,
        console: "Callable[[], Console] | None",
        line: Callable[[str], None],
        clean: Callable[[str], str],
        delay: float = DELAY_SECONDS,
    ) -> None:
        self.detail = ""
        self._message = message
        self._about = about
        self._console = console
        self._line = line
        self._clean = clean
        self._delay = delay
        self._began = time.monotonic()
        self._over = threading.Event()
        self._showing = threading.Lock()
        self._status: Any = None
        self._thread = threading.Thread(target=self._show if console else self._tell, daemon=True)

    def begin(self) -> None:
        """Begin to measure."""
        self._thread.start()

    def end(self) -> None:
        """Take away what is shown; when this returns, nothing more is written."""
        self._over.set()
        self._thread.join()

    def note(self, text: str) -> None:
        """Write a line that stays, above the one that changes."""
        with self._showing:
            if self._status is None:
                self._line(self._clean(text))
            else:
                from rich.text import Text

                self._status.console.print(Text(self._clean(text), style="dim"), soft_wrap=True)

    def _words(self) -> str:
        return words(self._message, self._clean(self.detail), time.monotonic() - self._began, self._about)

    def _show(self) -> None:
        if self._console is None or self._over.wait(self._delay):
            return
        from rich.text import Text

        with self._showing:
            self._status = self._console().status(Text(self._words()))
            self._status.start()
        while not self._over.wait(_REFRESH_SECONDS):
            self._status.update(Text(self._words()))
        with self._showing:
            self._status.stop()
            self._status = None

    def _tell(self) -> None:
        pause = _FIRST_LINE_SECONDS
        while not self._over.wait(pause):
            self._line(self._words())
            pause = time.monotonic() - self._began  # twice as long as it has taken by now
