"""Reading one table of a document key by key, so that every broken rule names its line and its remedy."""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from daemon.core.failures import DocumentError
from daemon.core.problems import AlreadyTold, Problems
from daemon.core.toml_lines import Path
from daemon.core.toml_source import TomlSource

T = TypeVar("T")


class Fields:
    """A table whose keys are all known; anything else in it is refused when it is opened.

    With `problems` given, unknown keys are kept there instead, and those of the tables inside, too.
    """

    def __init__(
        self,
        source: TomlSource,
        path: Path,
        values: Mapping[str, Any],
        known: Sequence[str],
        problems: Problems | None = None,
    ) -> None:
        self._source = source
        self._path = path
        self._values = values
        self._problems = problems
        self._meant = set[str]()
        for key in values:
            if key not in known:
                unknown = self.wrong(
                    key, f"The key {_shown(key)} is unknown in {self._place()}.", _suggestion(key, known)
                )
                if problems is None:
                    raise unknown
                problems.found.append(unknown)
                self._meant.update(get_close_matches(key[:80], known, n=1))

    @classmethod
    def root(cls, source: TomlSource, known: Sequence[str], problems: Problems | None = None) -> "Fields":
        """Open the outermost table of a document."""
        return cls(source, (), source.data, known, problems)

    def __contains__(self, key: str) -> bool:
        """Say whether the key is there."""
        return key in self._values

    def wrong(self, key: str | None, problem: str, remedy: str) -> DocumentError:
        """Make the error for a key of this table, or for the table itself."""
        path = self._path if key is None else (*self._path, key)
        line = self._source.line_of(path)
        if line is None:
            line = self._source.first_line
        return DocumentError(file=self._source.file, line=line, problem=problem, remedy=remedy)

    def label(self, key: str) -> str:
        """Name a key for a person, with the table it stands in."""
        return f"`{key}` in {self._place()}"

    def require(self, key: str, remedy: str) -> Any:
        """Return the value of a key that must be there."""
        if key not in self._values:
            raise self.absent(key, f"{self.label(key)} is missing.", remedy, at=key)
        return self._values[key]

    def is_misspelt(self, key: str) -> bool:
        """Say whether an unknown key was probably meant to be this one, of which there may be others."""
        return key in self._meant

    def absent(self, key: str, problem: str, remedy: str, *, at: str | None = None) -> DocumentError:
        """Make the error for a key that is not there; one that was misspelt was told about."""
        told = self.wrong(at, problem, remedy)
        if not self.is_misspelt(key):
            return told
        return AlreadyTold(file=told.file, line=told.line, problem=told.problem, remedy=told.remedy)

    def text(self, key: str, remedy: str, *, pattern: re.Pattern[str] | None = None) -> str:
        """Return a text that must be there, must not be blank, and must have the given form."""
        value = self._typed(key, self.require(key, remedy), str, "a string", remedy)
        if not value.strip():
            raise self.wrong(key, f"{self.label(key)} is empty.", remedy)
        if pattern is not None and not pattern.fullmatch(value):
            raise self.wrong(key, f"{self.label(key)} is {_shown(value)}, which is not of the right form.", remedy)
        return value

    def optional_text(self, key: str, remedy: str) -> str | None:
        """Return a text that may be left out but not left blank."""
        return self.text(key, remedy) if key in self._values else None

    def prose(self, key: str) -> str:
        """Return a text for people, which may be left out or empty."""
        remedy = f'Write {key} = "..." or leave it out.'
        return self._typed(key, self._values.get(key, ""), str, "a string", remedy).strip()

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """Return one of a few words."""
        remedy = f"Use one of {', '.join(choices)}."
        value = self.text(key, remedy)
        if value not in choices:
            raise self.wrong(key, f"{self.label(key)} is {_shown(value)}.", _suggestion(value, choices, remedy))
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        return self._typed(key, self._values.get(key, default), bool, "true or false", f"Write {key} = true or false.")

    def whole_number(self, key: str, remedy: str) -> int | None:
        """Return a whole number that may be left out; true and false are not numbers."""
        if key not in self._values:
            return None
        return self._typed(key, self._values[key], int, "a whole number", remedy)

    def number(self, key: str, remedy: str) -> int | float | None:
        """Return a number that may be left out; true and false are not numbers."""
        if key not in self._values:
            return None
        value = self._values[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._mistyped(key, value, "a number", remedy)
        return value

    def parsed(self, key: str, parse: Callable[[str], T], remedy: str) -> T:
        """Return a text read by a parser that raises a ValueError saying what is wrong."""
        value = self.text(key, remedy)
        try:
            return parse(value)
        except ValueError as error:
            raise self.wrong(key, f"{self.label(key)} is wrong: {error}", remedy) from None

    def texts(self, key: str, remedy: str) -> tuple[str, ...]:
        """Return a list of texts, each there once, that must be there and may be empty."""
        values = self._typed(key, self.require(key, remedy), list, "a list of strings", remedy)
        seen: set[str] = set()
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise self.wrong_item(key, index, f"is {_kind(value)}, not a string", remedy)
            if not value.strip():
                raise self.wrong_item(key, index, "is empty", remedy)
            if value in seen:
                raise self.wrong_item(key, index, f"is {_shown(value)} again", "Name each one once.")
            seen.add(value)
        return tuple(values)

    def parsed_texts(self, key: str, parse: Callable[[str], T], remedy: str) -> tuple[T, ...]:
        """Return a list of texts, each read by a parser that raises a ValueError; equal results are refused."""
        found: dict[T, None] = {}
        for index, value in enumerate(self.texts(key, remedy)):
            try:
                item = parse(value)
            except ValueError as error:
                raise self.wrong_item(key, index, f"is wrong: {error}".rstrip("."), remedy) from None
            if item in found:
                raise self.wrong_item(key, index, f"is {_shown(value)} again", "Name each one once.")
            found[item] = None
        return tuple(found)

    def wrong_item(self, key: str, index: int, problem: str, remedy: str) -> DocumentError:
        """Make the error for one element of a list."""
        line = self._source.line_of((*self._path, key, index))
        return DocumentError(
            file=self._source.file,
            line=line,
            problem=f"Number {index + 1} of {self.label(key)} {problem}.",
            remedy=remedy,
        )

    def value(self, key: str) -> Any:
        """Return whatever stands at a key that is there."""
        return self._values[key]

    def table(self, key: str, known: Sequence[str]) -> "Fields | None":
        """Open a table inside this one, if it is there."""
        if key not in self._values:
            return None
        return self._inner((key,), self.mapping(key), known)

    def required_table(self, key: str, known: Sequence[str], remedy: str) -> "Fields":
        """Open a table inside this one that must be there."""
        self.require(key, remedy)
        return self._inner((key,), self.mapping(key), known)

    def open(self, key: str) -> "Fields":
        """Open a table whose keys are free; an absent one is empty."""
        values = self.mapping(key)
        return self._inner((key,), values, tuple(values))

    def values_of(self, key: str, remedy: str) -> tuple[Any, ...]:
        """Return a list of values of any type."""
        return tuple(self._typed(key, self.require(key, remedy), list, "a list", remedy))

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Return a table whose keys are free; an absent one is empty."""
        remedy = f"Write a table: [{'.'.join(part for part in (*self._path, key) if isinstance(part, str))}]."
        return self._typed(key, self._values.get(key, {}), dict, "a table", remedy)

    def named_tables(
        self, key: str, known: Sequence[str], *, pattern: re.Pattern[str], rule: str
    ) -> dict[str, "Fields"]:
        """Open a table of tables whose names are free but of a given form."""
        inner = self.open(key)
        for name in self.mapping(key):
            if not pattern.fullmatch(name):
                raise inner.wrong(name, f"The name of {inner.label(name[:60])} is not allowed.", rule)
        return {name: inner.required_table(name, known, rule) for name in self.mapping(key)}

    def tables(self, key: str, known: Sequence[str]) -> tuple["Fields", ...]:
        """Open a list of tables; an absent one is empty."""
        name = ".".join(part for part in (*self._path, key) if isinstance(part, str))
        remedy = f"Begin each one with [[{name}]]."
        values = self._typed(key, self._values.get(key, []), list, "a list of tables", remedy)
        opened = []
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise self.wrong_item(key, index, f"is {_kind(value)}, not a table", remedy)
            opened.append(self._inner((key, index), value, known))
        return tuple(opened)

    def _inner(self, at: Path, values: Mapping[str, Any], known: Sequence[str]) -> "Fields":
        return Fields(self._source, (*self._path, *at), values, known, self._problems)

    def _place(self) -> str:
        name = ".".join(part for part in self._path if isinstance(part, str))
        numbers = [part + 1 for part in self._path if isinstance(part, int)]
        if not name:
            return "the top level"
        if not numbers:
            return f"[{name}]"
        brackets = f"[[{name}]]" if isinstance(self._path[-1], int) else f"[{name}]"
        return f"{brackets} (number {numbers[-1]})"

    def _typed(self, key: str, value: Any, kind: type[T], wanted: str, remedy: str) -> T:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._mistyped(key, value, wanted, remedy)
        return value

    def _mistyped(self, key: str, value: Any, wanted: str, remedy: str) -> DocumentError:
        return self.wrong(key, f"{self.label(key)} is {_kind(value)}; it must be {wanted}.", remedy)


def _suggestion(word: str, known: Sequence[str], otherwise: str | None = None) -> str:
    close = get_close_matches(word[:80], known, n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    if otherwise is not None:
        return otherwise
    return f"The known keys are {', '.join(known)}." if known else "Nothing may stand here."


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    for kind, name in ((str, "a string"), (int | float, "a number"), (list, "a list"), (dict, "a table")):
        if isinstance(value, kind):
            return name
    return "a date or time"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
