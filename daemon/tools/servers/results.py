"""Results that are too large for an agent: what it is given of them, and what it can read on. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.core.json_writing import json_writer

Block = Mapping[str, Any]
_written = json_writer(ascii_only=False)


@dataclass(frozen=True, slots=True)
class Cut:
    """A result in two parts."""

    content: tuple[Block, ...]
    structured: Any
    """None if it did not fit; it is in the rest then."""
    rest: str


def cut(content: Sequence[Block], structured: Any, *, limit: int) -> Cut | None:
    """Return a result cut to a number of characters; None if it fits. What comes after the cut keeps its order."""
    sizes = list(map(_size, content))
    of_structured = 0 if structured is None else len(_written(structured))
    if sum(sizes) + of_structured <= limit:
        return None
    left, kept, rest = limit, list[Block](), list[str]()
    for block, size in zip(content, sizes, strict=True):
        if not rest and size <= left:
            kept.append(block)
            left -= size
        elif not rest and _is_text(block):
            kept.append({**block, "text": block["text"][:left]})
            rest.append(block["text"][left:])
        else:
            rest.append(block["text"] if _is_text(block) else _written(block))
    if of_structured and (rest or of_structured > left):
        rest.append(_written(structured))
        structured = None
    return Cut(tuple(kept), structured, "\n".join(rest))


def _is_text(block: Block) -> bool:
    return block.get("type") == "text" and isinstance(block.get("text"), str)


def _size(block: Block) -> int:
    text = block.get("text") if block.get("type") == "text" else None
    return len(text if isinstance(text, str) else _written(block))
