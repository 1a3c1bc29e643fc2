"""Whether a schema that a server wrote can be used to check arguments, and what stays of it then. Pure.

A schema is a small program that a stranger wrote. One that asks the network, takes no end, or matches by backtracking
must not hold up the daemon. Such a schema is not used, and the server checks the arguments alone, as it does anyway.
"""

from collections.abc import Mapping
from typing import Any

MAX_COST = 10_000
"""How many places of a schema a value may have to be compared with, references followed."""

MAX_PATTERNS = 200
_DEEPEST = 200
_DATA = frozenset({"const", "enum", "default", "examples"})
"""Keywords whose values are data and no schemas."""

_DEFINITIONS = frozenset({"$defs", "definitions"})
_REFERENCES = ("$dynamicRef", "$recursiveRef")


class UnusableSchemaError(ValueError):
    """A schema is not used; the message says why."""


def cost_of(schema: Mapping[str, Any]) -> int:
    """Return how many places of a schema one value is compared with at most. Raises UnusableSchemaError."""
    return _Measuring(schema).cost(schema, ())


class _Measuring:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._known: dict[str, int] = {}

    def cost(self, node: Any, path: tuple[str, ...], depth: int = 0) -> int:
        if depth > _DEEPEST:
            raise UnusableSchemaError("it is nested too deeply")
        if isinstance(node, list):
            total = sum(self.cost(each, path, depth + 1) for each in node)
        elif isinstance(node, Mapping):
            total = 1 + sum(
                self.cost(value, path, depth + 1)
                for key, value in node.items()
                if key not in _DATA and key not in _DEFINITIONS
            )
            if any(key in node for key in _REFERENCES):
                raise UnusableSchemaError("it refers to places that are chosen while it is used")
            if isinstance(node.get("$ref"), str):
                total += self._referred(node["$ref"], path, depth)
        else:
            return 0
        if total > MAX_COST:
            raise UnusableSchemaError("it would take too long")
        return total

    def _referred(self, target: str, path: tuple[str, ...], depth: int) -> int:
        if not target.startswith("#"):
            raise UnusableSchemaError(f"it refers to something outside of itself, {target[:100]!r}")
        if target in path:
            raise UnusableSchemaError("it refers to itself")
        if target not in self._known:
            self._known[target] = self.cost(self._find(target), (*path, target), depth + 1)
        return self._known[target]

    def _find(self, target: str) -> Any:
        node: Any = self._root
        for step in target[1:].split("/")[1:]:
            part = step.replace("~1", "/").replace("~0", "~")
            try:
                node = node[int(part)] if isinstance(node, list) else node[part]
            except (LookupError, ValueError, TypeError):
                raise UnusableSchemaError(f"it has nothing at {target[:100]!r}") from None
        return node


def patterns_of(node: Any) -> list[str]:
    """Return every pattern in a schema."""
    if isinstance(node, list):
        return [found for each in node for found in patterns_of(each)]
    if not isinstance(node, Mapping):
        return []
    found = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
    if isinstance(node.get("patternProperties"), Mapping):
        found += map(str, node["patternProperties"])
    return found + [inner for key, value in node.items() if key not in _DATA for inner in patterns_of(value)]


def without_patterns(node: Any, unusable: frozenset[str]) -> Any:
    """Return a schema without those of its patterns that cannot be used."""
    if isinstance(node, list):
        return [without_patterns(each, unusable) for each in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: value if key in _DATA else without_patterns(value, unusable)
        for key, value in node.items()
        if not (key == "pattern" and isinstance(value, str) and value in unusable)
    }
