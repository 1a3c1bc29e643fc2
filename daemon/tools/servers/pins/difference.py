"""What a person is shown of tools that wait: the definitions, and the lines that differ. Pure.

Every character that cannot be seen, steers the reading order or poses as another one is spelled out. Lines of texts
that a server wrote are indented behind a bar, so that none of them can pass for one of ours.
"""

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.core.visible import visible
from daemon.tools.servers.pins.definitions import KEYS, Definition
from daemon.tools.servers.pins.pin import Pin, PinState


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolReview:
    """One tool that waits for a person, or is gone."""

    tool: str
    state: PinState
    digest: str | None
    """What `accept` is told to accept exactly this; None for a tool that is gone."""
    before: str
    """The accepted definition, readable; empty for a new tool."""
    after: str
    """The definition that waits; empty for a tool that is gone."""
    difference: str
    """The lines that differ, each behind `-` or `+`, with those around them."""

    def as_json(self) -> dict[str, Any]:
        """Return it as the control API shows it."""
        return {
            "tool": visible(self.tool),
            "state": self.state.value,
            "digest": self.digest,
            "before": self.before,
            "after": self.after,
            "difference": self.difference,
        }


def reviews(pins: Iterable[Pin]) -> Sequence[ToolReview]:
    """Return what a person has to look at, and what is gone, in the order of the names."""
    shown = [pin for pin in pins if pin.state is not PinState.READY]
    return tuple(map(_review, sorted(shown, key=lambda pin: pin.tool)))


def _review(pin: Pin) -> ToolReview:
    before, after = written(pin.accepted), written(pin.pending)
    return ToolReview(
        tool=pin.tool,
        state=pin.state,
        digest=None if pin.pending is None else pin.pending.digest,
        before=before,
        after=after,
        difference=_difference(before, after),
    )


def written(definition: Definition | None) -> str:
    """Return a definition on lines that a person can read and compare."""
    if definition is None:
        return ""
    said, lines = definition.said, []
    for key in KEYS:
        if key not in said:
            continue
        value = said[key]
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
        lines += [f"{key}:", *(f"  | {line}" for line in visible(text).replace("\t", "\\u{9}").split("\n"))]
    return "\n".join(lines)


def _difference(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
