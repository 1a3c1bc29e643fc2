"""Forms of servers: what can be shown to a person is read, and only what fits its field is sent."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.forms.fields import Field, FieldKind
from daemon.core.forms.form import Form
from daemon.core.forms.reading import FormError, read_form

EVERY_KIND: dict[str, Any] = {
    "text": {"type": "string", "minLength": 2, "maxLength": 5, "title": "A text"},
    "mail": {"type": "string", "format": "email"},
    "page": {"type": "string", "format": "uri"},
    "day": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "date-time"},
    "number": {"type": "number", "minimum": 0.5, "maximum": 2},
    "whole": {"type": "integer", "minimum": -1, "maximum": 3, "default": 2},
    "sure": {"type": "boolean", "default": False},
    "plain": {"type": "string", "enum": ["a", "b"]},
    "named": {"type": "string", "enum": ["a", "b"], "enumNames": ["Ay", "Bee"]},
    "titled": {"type": "string", "oneOf": [{"const": "a", "title": "Ay"}, {"const": "b", "title": "Bee"}]},
    "several": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string", "enum": ["a", "b", "c"]}},
    "titles": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "Ay"}]}, "default": ["a"]},
}


def form(required: tuple[str, ...] = (), **properties: Any) -> Form:
    return read_form({"type": "object", "properties": properties, "required": list(required)})


def test_every_kind_of_field_of_the_protocol_is_read() -> None:
    fields = {each.name: each for each in form(**EVERY_KIND).fields}
    assert {each.kind for each in fields.values()} == set(FieldKind)
    assert (fields["text"].least, fields["text"].most, fields["text"].title) == (2, 5, "A text")
    assert [each.title for each in fields["named"].choices] == ["Ay", "Bee"]
    assert [each.title for each in fields["titled"].choices] == ["Ay", "Bee"]
    assert [each.title for each in fields["plain"].choices] == ["a", "b"]
    assert (fields["whole"].default, fields["sure"].default, fields["titles"].default) == (2, False, ["a"])
    assert all(Field.from_json(each.as_json()) == each for each in fields.values())


@pytest.mark.parametrize(
    ("name", "fits", "wrong"),
    [
        ("text", ["ab", "abcde"], ["a", "abcdef", 1, "\ud800\ud800"]),
        ("mail", ["a@b"], ["a", "a b@c", "@"]),
        ("page", ["https://a.example/"], ["a", "https://", "ht tp://a"]),
        ("day", ["2026-02-28"], ["2026-02-30", "20260228", "2026-02-28T00:00"]),
        ("time", ["2026-02-28T10:00:00Z"], ["2026-02-28T10:00:00", "10:00", "2026-02-30T10:00:00Z"]),
        ("number", [0.5, 2, 1], [0, 2.1, True, "1", float("nan"), float("inf")]),
        ("whole", [-1, 3, 2.0], [-2, 4, 1.5, False, 10**400]),
        ("sure", [True, False], ["yes", 1, 0]),
        ("plain", ["a"], ["c", "", ["a"]]),
        ("several", [["a"], ["a", "b"]], [[], ["a", "b", "c"], ["a", "a"], "a", ["d"], [["a"]]]),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_name_of_its_field(
    name: str, fits: list[Any], wrong: list[Any]
) -> None:
    asked = form((name,), **{name: EVERY_KIND[name]})
    for value in fits:
        filled = asked.checked({name: value})
        assert (dict(filled.content), dict(filled.problems)) == ({name: value}, {}), value
    for value in wrong:
        assert set(asked.checked({name: value}).problems) == {name}, value
    assert asked.checked({}).problems == {name: "it is required"}


def test_a_field_that_the_form_has_not_is_refused() -> None:
    assert form(a={"type": "string"}).checked({"b": 1}).problems == {"b": "the form has no such field"}
    assert form(a={"type": "string"}).typed({"b": ["1"]}).problems == {"b": "the form has no such field"}


def test_what_a_person_typed_is_read_by_what_the_field_takes() -> None:
    asked = form(("whole",), **EVERY_KIND)
    typed = {
        "whole": ["3"],
        "number": [" 1.5 "],
        "sure": ["No"],
        "several": ["a", "b"],
        "text": [""],
        "titled": ["b"],
    }
    filled = asked.typed(typed)
    assert filled.problems == {}
    assert filled.content == {"whole": 3, "number": 1.5, "sure": False, "several": ["a", "b"], "titled": "b"}
    for name, texts in {
        "whole": ["1.5"],
        "number": ["one"],
        "sure": ["perhaps"],
        "text": ["ab", "cd"],
    }.items():
        assert name in asked.typed({"whole": ["1"], name: texts}).problems
    assert "whole" in asked.typed({"whole": ["9" * 5000]}).problems


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        {"type": "object"},
        {"type": "string", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}},
        {"type": "object", "properties": {"a": {"type": "array"}}},
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}}},
        {"type": "object", "properties": {"a": {"type": "string", "enum": []}}},
        {"type": "object", "properties": {"a": {"type": "string", "enum": [1]}}},
        {"type": "object", "properties": {"a": {"type": "string", "enum": ["x", "x"]}}},
        {"type": "object", "properties": {"a": {"type": "string", "enum": [str(n) for n in range(101)]}}},
        {"type": "object", "properties": {"a": {"type": "integer", "minimum": "1"}}},
        {"type": "object", "properties": {"a": {"type": "integer", "maximum": 10**400}}},
        {"type": "object", "properties": {"a": "string"}},
        {"type": "object", "properties": {"": {"type": "string"}}},
        {"type": "object", "properties": {"a" * 101: {"type": "string"}}},
        {"type": "object", "properties": {"a": {"type": "string", "title": "x" * 1001}}},
        {"type": "object", "properties": {str(n): {"type": "string"} for n in range(33)}},
        {
            "type": "object",
            "properties": {str(n): {"type": "string", "title": "x" * 999} for n in range(32)} | {"x": {}},
        },
        {"type": "object", "properties": {}, "required": ["a"]},
        {"type": "object", "properties": {}, "required": "a"},
    ],
)
def test_a_form_that_no_person_could_be_shown_is_refused_whole(schema: Any) -> None:
    with pytest.raises(FormError):
        read_form(schema)


def test_a_suggestion_that_the_field_would_refuse_is_none() -> None:
    assert form(a={"type": "integer", "maximum": 3, "default": 4}).fields[0].default is None
    assert form(a={"type": "string", "enum": ["a"], "default": "b"}).fields[0].default is None


_VALUES = st.one_of(
    st.text(max_size=8),
    st.integers(-4, 6),
    st.floats(allow_nan=False),
    st.booleans(),
    st.lists(st.sampled_from("abcd")),
)


@given(st.dictionaries(st.sampled_from(sorted(EVERY_KIND)), _VALUES, max_size=5))
def test_whatever_is_accepted_is_valid_by_the_schema_that_the_server_gave(content: Mapping[str, Any]) -> None:
    schema = {"type": "object", "properties": EVERY_KIND, "required": ["sure"]}
    filled = read_form(schema).checked(content)
    if not filled.problems:
        assert jsonschema_rs.is_valid(schema, dict(filled.content))
