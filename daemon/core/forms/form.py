"""A form: its fields, and whether an answer fits all of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.core.forms.fields import Field


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of an answer: the values that are sent, or why fields do not take theirs."""

    content: Mapping[str, Any]
    problems: Mapping[str, str]
    """By the name of the field; empty if the answer fits."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields, in the order in which the server gave them."""

    fields: tuple[Field, ...]

    def checked(self, content: Mapping[str, Any]) -> Filled:
        """Check an answer in JSON."""
        known = {each.name for each in self.fields}
        problems = {name: "the form has no such field" for name in content if name not in known}
        kept: dict[str, Any] = {}
        for each in self.fields:
            value = content.get(each.name)
            if value is None:
                if each.required:
                    problems[each.name] = "it is required"
                continue
            wrong = each.problem_with(value)
            if wrong is not None:
                problems[each.name] = wrong
            else:
                kept[each.name] = value
        return Filled(kept, problems)

    def typed(self, texts: Mapping[str, Sequence[str]]) -> Filled:
        """Read and check an answer as a person typed it: texts by the name of the field, several where it takes them.

        A field that takes text and was left empty is left out: a form cannot tell an empty text from none.
        """
        known = {each.name: each for each in self.fields}
        content: dict[str, Any] = {}
        problems: dict[str, str] = {}
        for name, given in texts.items():
            field = known.get(name)
            if field is None:
                problems[name] = "the form has no such field"
                continue
            try:
                content[name] = field.typed(given)
            except ValueError as wrong:
                problems[name] = str(wrong)
        filled = self.checked(content)
        return Filled(filled.content, {**filled.problems, **problems})

    def as_json(self) -> list[dict[str, Any]]:
        """Return the fields as the control API shows them."""
        return [each.as_json() for each in self.fields]
