"""TOML as it stands in a file: the data, the line each value came from, and values that JSON can carry."""

import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time
from math import isfinite
from typing import Any

from daemon.core.canonical import MAX_SAFE_INTEGER
from daemon.core.documents import FORBIDDEN
from daemon.core.failures import DocumentError
from daemon.core.toml_lines import Path, find_lines, find_loss

MAX_TOML_DEPTH = 32

_PLACE = re.compile(r" \(at (?:line (?P<line>[0-9]+), column [0-9]+|end of document)\)$")
# The standard parser takes time that grows with the square of the parts of one key.
_LONG_KEY = re.compile(r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}""")


@dataclass(frozen=True, slots=True)
class TomlSource:
    """One TOML text, parsed, that can say where its values stand."""

    data: dict[str, Any]
    file: str
    first_line: int
    lines: dict[Path, int]

    @classmethod
    def parse(cls, text: str, *, file: str, first_line: int = 1) -> "TomlSource":
        """Read TOML; first_line is where the text begins in its file, so that lines are those of the file."""
        text = text.replace("\r\n", "\n")
        long_key = _LONG_KEY.search(text)
        if long_key is not None:
            raise DocumentError(
                file=file,
                line=first_line + text.count("\n", 0, long_key.start()),
                problem="More than 64 names are joined by dots here.",
                remedy="Use fewer; no table of ours is that deep.",
            )
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise _syntax_error(str(error), text, file, first_line) from None
        except RecursionError:
            raise DocumentError(
                file=file,
                line=None,
                problem="Lists or tables are nested too deeply.",
                remedy=f"Nest at most {MAX_TOML_DEPTH} levels.",
            ) from None
        except ValueError as error:  # a number of thousands of digits, which the parser does not catch itself
            raise DocumentError(
                file=file, line=None, problem="A value cannot be read.", remedy=f"The reason: {error}."
            ) from None
        source = cls(data=data, file=file, first_line=first_line, lines=find_lines(text))
        source._check_values()
        return source

    def line_of(self, path: Path) -> int | None:
        """Return the line of a value, or of the nearest table around it; None when neither is known."""
        while path not in self.lines:
            if not path:
                return None
            path = path[:-1]
        return self.lines[path] + self.first_line - 1

    def error(self, path: Path, problem: str, remedy: str) -> DocumentError:
        """Make the error for a value, to be raised where the rule is."""
        return DocumentError(file=self.file, line=self.line_of(path), problem=problem, remedy=remedy)

    def _check_values(self) -> None:
        """Refuse what JSON cannot carry, wherever it stands; the walk does not recurse."""
        waiting: list[tuple[Path, Any]] = [((), self.data)]
        while waiting:
            path, value = waiting.pop()
            if isinstance(value, dict | list):
                if len(path) > MAX_TOML_DEPTH:
                    raise self.error(
                        path, "Lists or tables are nested too deeply.", f"Nest at most {MAX_TOML_DEPTH} levels."
                    )
                pairs = value.items() if isinstance(value, dict) else enumerate(value)
                children = [((*path, key), child) for key, child in pairs]
                waiting.extend(reversed(children))  # the first wrong value of the file is the one to tell about
                if isinstance(value, dict):
                    for key in value:
                        self._check_text((*path, key), key)
            else:
                self._check_scalar(path, value)

    def _check_scalar(self, path: Path, value: Any) -> None:
        if isinstance(value, str):
            self._check_text(path, value)
        elif isinstance(value, date | datetime | time):
            raise self.error(path, "A date or time stands here.", f'Write it as a string: "{value}".')
        elif isinstance(value, float) and not isfinite(value):
            raise self.error(path, f"The number {value} is not finite.", "Write a finite number.")
        elif isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
            raise self.error(
                path,
                "The number is beyond 2^53 - 1, where JSON readers begin to round.",
                "Use a smaller number, or a string.",
            )

    def _check_text(self, path: Path, value: str) -> None:
        found = FORBIDDEN.search(value.replace("\r", ""))
        if found is not None:
            raise self.error(
                path,
                f"The text holds the character U+{ord(found[0]):04X}, which is invisible or changes how text is shown.",
                "Remove it; only tabs and line ends are allowed.",
            )


def _syntax_error(message: str, text: str, file: str, first_line: int) -> DocumentError:
    place = _PLACE.search(message)
    line = None
    if place is not None:
        message = message[: place.start()]
        # What is never closed is found missing at the end; the person looks for where it was opened.
        line = int(place["line"]) if place["line"] else find_loss(text) or text.rstrip("\n").count("\n") + 1
    return DocumentError(
        file=file,
        line=None if line is None else line + first_line - 1,
        problem=f"This is not valid TOML: {message[:200]}.",
        remedy='Write `key = value`; text stands in "quotes", and a table begins with [its.name].',
    )
