import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.filling import MAX_RENDERED_LENGTH, follow_path
from daemon.core.manifest import Op
from daemon.core.op_inputs import render_inputs
from daemon.core.references import Reference, TemplateError
from daemon.core.templates import parse_template

ANY_OP = Op(name="call", capability="any", idempotent=False)

ARGS = {"text": "hello", "count": 3, "ratio": 1e21, "whole": 2.0, "yes": True, "list": [1], "tricky": "${args.count}"}
STEPS = {"find": {"items": [{"id": "a"}, {"id": 7, "none": None}], "1": "one", "deep": {"x": {"y": 1.5}}}}


def render(value: Any) -> Any:
    return parse_template(value).render(ARGS, STEPS)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$5 and $$", "$5 and $$"),
        ("${args.count}", 3),
        ("${args.yes}", True),
        ("${args.list}", [1]),
        ("${find.items.0.id}", "a"),
        ("${find.items.1.id}", 7),
        ("${find.items.1.none}", None),
        ("${find.1}", "one"),
        ("${find.deep}", {"x": {"y": 1.5}}),
        ("${args.count} ", "3 "),
        ("${args.count}${args.count}", "33"),
        ("${args.text}: ${args.count}, ${args.yes}", "hello: 3, true"),
        ("${args.ratio}/${args.whole}/${find.deep.x.y}", "1e+21/2/1.5"),
        ("$${args.count}", "${args.count}"),
        ("$$${args.count}", "$${args.count}"),
        ("$${${args.count}}", "${3}"),
        ("<${args.tricky}>", "<${args.count}>"),
        ({"a": ["${args.count}", {"b": "${args.text}!"}], "c": 1}, {"a": [3, {"b": "hello!"}], "c": 1}),
    ],
)
def test_placeholders_are_filled_in(template: Any, value: Any) -> None:
    rendered = render(template)
    assert rendered == value
    assert type(rendered) is type(value)


@pytest.mark.parametrize(
    "template",
    [
        "${", "a ${args.x", "${}", "${args}", "${args.}", "${.x}", "${args..x}", "${args.x.}", "${ args.x }",
        "${Args.x}",
        "${args.x|upper}", "${args.x y}", "${args[0]}", "${args.${args.y}}", "${1.x}", "${args.é}", "${\n}",
    ],
)  # fmt: skip
def test_a_malformed_placeholder_is_refused_with_the_right_form(template: str) -> None:
    with pytest.raises(TemplateError, match=r"\$\{args\."):
        parse_template({"nested": [template]})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, object(), b"x"])
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(TemplateError):
        parse_template([value])


def test_deep_nesting_is_refused() -> None:
    value: Any = "leaf"
    for _ in range(100_000):
        value = [value]
    with pytest.raises(TemplateError, match="nested"):
        parse_template(value)


def test_references_are_listed_in_order() -> None:
    template = parse_template({"a": "${args.x} ${one.b.0}", "b": ["${args.x}", "$${args.y}"]})
    assert template.references == (Reference("args", ("x",)), Reference("one", ("b", "0")), Reference("args", ("x",)))
    assert str(template.references[1]) == "${one.b.0}"
    assert parse_template(5).references == ()


@pytest.mark.parametrize(
    "template",
    ["${args.nobody}", "${find.items.2.id}", "${find.items.-1}", "${find.items.01}", "${find.items.id}",
     "${find.deep.x.y.z}", "${other.x}", "${args.text.0}", "${find.items.99999999999999999999}"],
)  # fmt: skip
def test_a_missing_value_is_a_failure_that_names_the_placeholder(template: str) -> None:
    with pytest.raises(Failure) as caught:
        render(["in text: " + template])
    assert caught.value.failure_class is FailureClass.INVALID_ARGUMENTS
    assert caught.value.boundary is Boundary.ACTION
    assert template in caught.value.message


@pytest.mark.parametrize(
    ("template", "kind"), [("${args.list}", "a list"), ("${find.deep}", "an object"), ("${find.items.1.none}", "null")]
)
def test_lists_objects_and_null_do_not_go_into_text(template: str, kind: str) -> None:
    with pytest.raises(Failure, match=kind):
        render("text " + template)


@pytest.mark.parametrize("value", [2**53, float("nan"), [2**60], {"a": float("inf")}, "\ud800", object()])
def test_a_value_that_json_cannot_carry_does_not_come_out(value: Any) -> None:
    with pytest.raises(Failure, match="cannot be filled in"):
        parse_template("${args.x}").render({"x": value}, {})


@pytest.mark.parametrize("value", [2**53, float("nan")])
def test_a_number_that_json_cannot_carry_does_not_go_into_text(value: Any) -> None:
    with pytest.raises(Failure, match="exactly"):
        parse_template("n: ${args.x}").render({"x": value}, {})


def test_a_text_that_repeats_a_long_argument_has_a_bound() -> None:
    template = parse_template("${args.x}" * 1000)
    with pytest.raises(Failure) as caught:
        template.render({"x": "a" * (MAX_RENDERED_LENGTH // 100)}, {})
    assert caught.value.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED


def test_an_input_that_is_only_an_argument_nobody_gave_is_left_out() -> None:
    templates = {name: parse_template(text) for name, text in {"a": "${args.x}", "b": "${args.y}", "c": "c"}.items()}
    assert render_inputs(ANY_OP, templates, {"y": None}, {}) == {"b": None, "c": "c"}
    with pytest.raises(Failure):
        render_inputs(ANY_OP, {"a": parse_template("to ${args.x}")}, {}, {})
    with pytest.raises(Failure):
        render_inputs(ANY_OP, {"a": parse_template("${step.x}")}, {}, {})


def test_a_path_is_followed_through_objects_and_lists() -> None:
    assert follow_path({"a": [{"b": 1}]}, ("a", "0", "b")) == 1
    with pytest.raises(LookupError):
        follow_path({"a": "text"}, ("a", "0"))


pieces = st.sampled_from(["${", "}", "$", "args", ".", "x", "find", "0", "$${", " ", "é"])
texts = st.text() | st.lists(pieces).map("".join)
trees = st.recursive(
    texts | st.integers() | st.floats() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(trees, trees, trees)
def test_any_template_renders_to_json_or_fails_in_the_documented_way(tree: Any, x: Any, found: Any) -> None:
    try:
        template = parse_template(tree)
        rendered = template.render({"x": x}, {"find": found, "x": {"x": x}})
    except (TemplateError, Failure):
        return
    json.dumps(rendered, allow_nan=False)


@given(st.text())
def test_an_argument_is_never_read_as_a_template(text: str) -> None:
    with suppress(Failure):  # a lone surrogate
        assert parse_template("${args.x}").render({"x": text}, {}) == text
        assert parse_template("<${args.x}>").render({"x": text}, {}) == f"<{text}>"
