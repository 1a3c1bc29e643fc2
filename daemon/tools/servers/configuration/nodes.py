"""A YAML file as nodes that know their lines: what is read out of them, and what is said of one that is wrong. Pure."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from daemon.core.failures import DocumentError
from daemon.core.visible import visible

_CORE = "tag:yaml.org,2002:"
_TEXTS = frozenset({f"{_CORE}str", f"{_CORE}int", f"{_CORE}float", f"{_CORE}bool"})
_BRACKET = re.compile(r"[\[\]{}]")
_NUMBER = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?")
_LONGEST_SHOWN = 80
_MOST_OPEN = 100
"""More brackets than this are open in no file that somebody means; each makes the reader slower."""


@dataclass(frozen=True, slots=True)
class Member:
    """One key of a mapping, with what stands behind it."""

    key: Node
    value: Node


class YamlText:
    """One text: its root, and the errors that name its file and lines."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        if _most_open(text) > _MOST_OPEN:
            raise self._error(None, "It is not valid YAML: too many brackets are open at once.")
        try:
            self.root: Any = YAML(typ="rt", pure=True).compose(text)
        except MarkedYAMLError as problem:
            mark = problem.problem_mark or problem.context_mark
            said = visible(" ".join(str(problem.problem or problem.context or "it cannot be read").split()))
            begun = problem.context_mark
            if mark is not None and begun is not None and begun.line != mark.line:
                said += f", in what begins at line {begun.line + 1}"
            if "'\\t'" in said:
                said += "; indent with spaces, not with tabs"
            raise self._error(None if mark is None else mark.line + 1, f"It is not valid YAML: {said}.") from None
        except (YAMLError, ValueError, RecursionError) as problem:
            raise self._error(None, f"It is not valid YAML ({type(problem).__name__}).") from None

    def wrong(self, node: Node, problem: str, remedy: str = "") -> DocumentError:
        """Return the error that names the line of a node."""
        return self._error(node.start_mark.line + 1, problem, remedy)

    def mapping(
        self, node: Node, what: str, known: Collection[str], others: Mapping[str, str] | None = None
    ) -> Mapping[str, Member]:
        """Return a mapping's members; raises DocumentError for a key that is not known, or is there twice.

        `others` are keys that other programs have for such a thing, and what to write in their place.
        """
        if not isinstance(node, MappingNode):
            raise self.wrong(node, f"{what} is not a mapping.", "Write it as lines of `key: value`.")
        members: dict[str, Member] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            if name not in known:
                raise self.wrong(
                    key, f"{what} has no key {shown(name)}.", (others or {}).get(name) or _nearest(name, known)
                )
            if name in members:
                where = what[0].lower() + what[1:]
                raise self.wrong(key, f"The key {name} is there twice in {where}.", "Take one of them out.")
            members[name] = Member(key, value)
        return members

    def texts(self, node: Node, what: str) -> Mapping[str, tuple[Node, str]]:
        """Return a mapping from free names to texts."""
        if not isinstance(node, MappingNode):
            raise self.wrong(node, f"{what} is not a mapping.", "Write it as lines of `NAME: value`.")
        found: dict[str, tuple[Node, str]] = {}
        for key, value in node.value:
            name = self.text(key, f"A name in {what}")
            if name in found:
                raise self.wrong(key, f"{shown(name)} is there twice in {what}.", "Take one of them out.")
            found[name] = (key, self.text(value, f"{what}: {shown(name)}"))
        return found

    def items(self, node: Node, what: str, remedy: str) -> list[Node]:
        """Return the items of a list."""
        if not isinstance(node, SequenceNode):
            raise self.wrong(node, f"{what} is not a list.", remedy)
        return list(node.value)

    def text(self, node: Node, what: str) -> str:
        """Return a text as it is written; a number or a word like true is a text as well."""
        if not isinstance(node, ScalarNode) or node.tag not in _TEXTS:
            raise self.wrong(node, f"{what} is not a text.", "Write it in quotation marks.")
        if "\0" in node.value:
            raise self.wrong(node, f"{what} holds the character U+0000.", "Take it out.")
        return str(node.value)

    def flag(self, node: Node, what: str) -> bool:
        """Return true or false."""
        if isinstance(node, ScalarNode) and node.value in {"true", "false"} and not node.style:
            return str(node.value) == "true"
        raise self.wrong(node, f"{what} is neither true nor false.", "Write one of these words.")

    def seconds(self, node: Node, what: str, *, least: float, most: float) -> float:
        """Return a number of seconds within bounds."""
        if isinstance(node, ScalarNode) and _NUMBER.fullmatch(node.value) and least <= float(node.value) <= most:
            return float(node.value)
        raise self.wrong(node, f"{what} is no number from {least:g} to {most:g}.", "Write it in seconds.")

    def one_of(self, node: Node, what: str, known: Collection[str]) -> str:
        """Return one of several words."""
        word = node.value if isinstance(node, ScalarNode) else ""
        if word not in known:
            raise self.wrong(node, f"{what} is {shown(word)}.", f"Write one of: {', '.join(known)}.")
        return str(word)

    def _error(self, line: int | None, problem: str, remedy: str = "") -> DocumentError:
        return DocumentError(file=self._file, line=line, problem=problem, remedy=remedy)


def _most_open(text: str) -> int:
    """Return how many brackets are open at once at most, those in texts and comments included."""
    open_now = most = 0
    for bracket in _BRACKET.findall(text):
        open_now = open_now + 1 if bracket in "[{" else max(0, open_now - 1)
        most = max(most, open_now)
    return most


def shown(text: str) -> str:
    """Return a text of the file as it stands in a message."""
    return repr(visible(text)[:_LONGEST_SHOWN])


def _nearest(name: str, known: Collection[str]) -> str:
    inside = [each for each in known if len(name) > 3 and name in each]
    near = inside or get_close_matches(name, known, 1, 0.5)
    return f"Did you mean {near[0]}?" if near else f"It has: {', '.join(known)}."
