"""Placeholders: ${args.x} and ${step.path} in a text, and how a text is cut into them and what stands between."""

import re
from dataclasses import dataclass

ARGUMENTS = "args"
"""The root that stands for the action's own arguments; no step may be called this."""

_TOKEN = re.compile(r"\$\$\{|\$\{")
_REFERENCE = re.compile(r"(?P<root>[a-z][a-z0-9_-]*)\.(?P<path>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)")


class TemplateError(ValueError):
    """A template breaks a rule; the message says what would be right.

    `problem` completes the sentence "The value ..."; `safe_form` is the same value as TOML, written in the way that
    is accepted, where one could be worked out.
    """

    def __init__(self, remedy: str, *, problem: str = "is not a template", safe_form: str | None = None) -> None:
        super().__init__(remedy)
        self.problem = problem
        self.safe_form = safe_form


@dataclass(frozen=True, slots=True)
class Reference:
    """What one placeholder points at: an argument, or a place in an earlier step's result."""

    root: str
    path: tuple[str, ...]

    @property
    def is_argument(self) -> bool:
        """Say whether the value is there before the first step runs."""
        return self.root == ARGUMENTS

    def __str__(self) -> str:
        """Write the placeholder as it stands in the file."""
        return f"${{{'.'.join((self.root, *self.path))}}}"


Parts = tuple[str | Reference, ...]
"""A text, cut: what is written in the file, and the placeholders between."""


class UnfitError(ValueError):
    """The value of a placeholder cannot stand in its place; the message completes "the value ..."."""

    def __init__(self, reference: Reference, problem: str) -> None:
        super().__init__(problem)
        self.reference = reference


def cut(text: str) -> Parts:
    """Cut a text at its placeholders; `$${` stands for a literal `${`. No two literals follow each other."""
    parts: list[str | Reference] = []
    literal = ""
    position = 0
    while (token := _TOKEN.search(text, position)) is not None:
        literal += text[position : token.start()]
        if token[0] == "$${":
            literal += "${"
            position = token.end()
            continue
        end = text.find("}", token.end())
        if end < 0:
            raise TemplateError("A placeholder is not closed; write it like ${args.name}, or $${ for a literal ${.")
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(_parse_reference(text[token.end() : end]))
        position = end + 1
    literal += text[position:]
    if literal or not parts:
        parts.append(literal)
    return tuple(parts)


def written(parts: Parts) -> str:
    """Write a cut text as it would stand in a file; the opposite of `cut`."""
    return "".join(part.replace("${", "$${") if isinstance(part, str) else str(part) for part in parts)


def _parse_reference(inner: str) -> Reference:
    match = _REFERENCE.fullmatch(inner)
    if match is None:
        shown = inner if len(inner) <= 60 else f"{inner[:60]}..."
        raise TemplateError(
            f"The placeholder ${{{shown}}} is malformed; write ${{args.<input>}} or ${{<step id>.<path>}}, "
            "or $${ for a literal ${."
        )
    return Reference(root=match["root"], path=tuple(match["path"].split(".")))
