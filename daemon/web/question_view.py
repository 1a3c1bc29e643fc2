"""What the page of one question shows, made ready for its template, and how its form is read back.

Names of fields and values of choices are a server's texts. In the form they are numbers, so no text of a server is ever
the name or the value of a control; what a server suggests is put into one only if all of it can be seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.core.forms.fields import MOST_TEXT, Field, FieldKind, Format
from daemon.core.visible import visible
from daemon.questions.question import Question
from daemon.web.forms import Form

_HINTS = {
    Format.EMAIL: "an address like ada@example.com",
    Format.URI: "an address like https://example.com/",
    Format.DATE: "a date like 2026-11-26",
    Format.DATE_TIME: "a date and time with its zone, like 2026-11-26T09:30:00Z",
}


_NO_CHOICE = "\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldView:
    """One field on the page."""

    key: str
    """The name of its control."""
    field: Field
    hint: str
    values: Sequence[str]
    """What stands in it: texts, or the keys of choices."""
    suggested: str
    """What the server suggests and is not put in, because a part of it cannot be seen."""
    problem: str

    @property
    def control(self) -> str:
        """Return which control the template makes."""
        kind = self.field.kind
        if kind is FieldKind.TEXT:
            return "line" if self.field.format is not None else "text"
        return {FieldKind.YES_OR_NO: "yes_or_no", FieldKind.ONE_OF: "one_of", FieldKind.SOME_OF: "some_of"}.get(
            kind, "line"
        )

    @property
    def most(self) -> int:
        """Return how many characters the control takes."""
        bounded = self.field.kind is FieldKind.TEXT and self.field.most is not None
        return max(0, min(MOST_TEXT, int(self.field.most or 0))) if bounded else MOST_TEXT


def fields_of(question: Question, form: Form | None, problems: Mapping[str, str]) -> Sequence[FieldView]:
    """Return the fields: with what the person typed last, or else with what the server suggests."""
    asked = question.asked.form
    views = []
    for number, field in enumerate(() if asked is None else asked.fields):
        key = f"f{number}"
        suggested = _suggested(field)
        plain = all(visible(text) == text for text in suggested)
        chosen = _keys(field, suggested) if field.choices else suggested
        views.append(
            FieldView(
                key=key,
                field=field,
                hint=_hint(field),
                values=form.all(key) if form is not None else chosen if plain or field.choices else (),
                suggested="" if plain or field.choices else ", ".join(suggested),
                problem=problems.get(field.name, ""),
            )
        )
    return views


def typed_in(question: Question, form: Form) -> Mapping[str, Sequence[str]]:
    """Return what a person typed, by the names of the fields."""
    asked = question.asked.form
    typed: dict[str, Sequence[str]] = {}
    for number, field in enumerate(() if asked is None else asked.fields):
        texts = [text.replace("\r\n", "\n") for text in form.all(f"f{number}")]
        typed[field.name] = [_choice(field, text) for text in texts] if field.choices else texts
    return typed


def _suggested(field: Field) -> Sequence[str]:
    default: Any = field.default
    if default is None:
        return ()
    if isinstance(default, bool):
        return ("yes" if default else "no",)
    return tuple(default) if isinstance(default, list) else (str(default),)


def _keys(field: Field, values: Sequence[str]) -> Sequence[str]:
    return [f"c{number}" for number, each in enumerate(field.choices) if each.value in values]


def _choice(field: Field, key: str) -> str:
    """Return the value of a choice by its key; for a key of none, what no choice is, so that the check refuses it."""
    number = key.removeprefix("c")
    known = number.isascii() and number.isdigit() and int(number[:6]) < len(field.choices)
    return field.choices[int(number)].value if known else _NO_CHOICE


def _hint(field: Field) -> str:
    said = [_HINTS[field.format]] if field.format is not None else []
    unit = {FieldKind.TEXT: " characters", FieldKind.SOME_OF: " of them"}.get(field.kind, "")
    if field.kind in {FieldKind.NUMBER, FieldKind.INTEGER}:
        said.append("a whole number" if field.kind is FieldKind.INTEGER else "a number")
    if field.least is not None:
        said.append(f"at least {field.least:,g}{unit}")
    if field.most is not None:
        said.append(f"at most {field.most:,g}{unit}")
    return ", ".join(said)
