"""Whatever an argument holds, what the file writes beside it arrives as it was written: in JSON, in URLs, in text."""

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.core.failures import Failure, FailureClass
from daemon.core.manifest import Op, OpInput
from daemon.core.op_inputs import outline_inputs, problem_with, render_inputs
from daemon.core.references import Reference, TemplateError
from daemon.core.templates import parse_template

OP = Op(
    name="send",
    capability="any",
    idempotent=False,
    inputs={
        "url": OpInput(type="string", format="url"),
        "body": OpInput(type="string", format="json"),
        "text": OpInput(type="string"),
    },
)
HOSTILE = [
    '"', "'", "\\", '","channel":"#all","x":"', '"}', "}", "{", "]", "[", ",", ":", "\n", "\r\n", "\t", "\0", "\x1b",
    "%", "%22", "%2F", "%2e%2e", "/", "//", "..", ".", "../", "..\\", "..;", "&", "&channel=all", "=", "#", "?", ";",
    "@", "evil.example", "https://evil.example/", " ", "+", "${args.x}", "$${", "é", "日本", "\u202e", "\U0001f389",
    "\u2028", "\ufeff", "\ud800", "null", "1", "true",
]  # fmt: skip
hostile = st.lists(st.sampled_from(HOSTILE), max_size=6).map("".join) | st.text(max_size=40)


def send(name: str, template: Any, **args: Any) -> Any:
    return render_inputs(OP, {name: parse_template(template)}, args, {"seen": {"id": args.get("x")}})[name]


def assert_refused_for_a_reason(failure: Failure, *, steps: bool, value: str) -> None:
    """Say that a value was refused only because no encoding could have kept it in its place."""
    half = any("\ud800" <= character <= "\udfff" for character in value)
    steps_up = not value.strip("\0\t\n\r ") or not set("./\\;").isdisjoint(value)
    assert half or (steps and steps_up)
    assert failure.failure_class is FailureClass.INVALID_ARGUMENTS
    assert "${" in failure.message


PLACES_IN_JSON: list[Any] = [
    {"channel": "#ops", "text": "${args.x}"},
    {"channel": "#ops", "text": "@here ${args.x} and ${args.x}"},
    {"channel": "#ops", "text": {"deep": ["one", "${args.x}", {"two": "<${args.x}>"}]}},
    {"channel": "#ops", "text": "${seen.id}"},
    ["#ops", "${args.x}"],
]


@pytest.mark.parametrize("template", PLACES_IN_JSON, ids=json.dumps)
@given(value=hostile)
def test_in_json_an_argument_fills_its_place_and_nothing_else(template: Any, value: str) -> None:
    try:
        sent = send("body", template, x=value)
    except Failure as failure:
        assert_refused_for_a_reason(failure, steps=False, value=value)
        return
    written = json.dumps(template).replace("seen.id", "args.x")
    places = [part.replace("${args.x}", value) for part in _strings(json.loads(written))]
    assert list(_strings(json.loads(sent))) == places
    assert _shape(json.loads(sent)) == _shape(template)


def _strings(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    members = sorted(value.items()) if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for _, member in members:
        yield from _strings(member)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(member) for name, member in value.items()}
    return [_shape(member) for member in value] if isinstance(value, list) else type(value)


PLACES_IN_URLS = [
    "https://api.example/items/${args.x}",
    "https://api.example/items/${args.x}/comments?fixed=1",
    "https://api.example/items/v${args.x}.json?fixed=1#end",
    "https://api.example/${args.x}",
    "https://api.example/a/.${args.x}/b",
    "https://api.example?q=${args.x}&fixed=1",
    "https://api.example/items?fixed=1&q=${args.x}",
    "https://api.example/items?${args.x}=v&fixed=1",
    "https://api.example/items?fixed=1#${args.x}",
    "https://api.example:8443/a/${args.x}/b/${args.x}?c=${args.x}&d=e${args.x}",
    "/items/${args.x}?fixed=1",
]
MARK = "0mark0"


@pytest.mark.parametrize("template", PLACES_IN_URLS)
@given(value=hostile)
@example(value="..")
@example(value=".")
@example(value="a/../../admin")
@example(value="x?fixed=2&q=")
def test_in_a_url_an_argument_stays_in_its_place(template: str, value: str) -> None:
    marked = send("url", template, x=MARK)
    try:
        sent = send("url", template, x=value)
    except Failure as failure:
        assert_refused_for_a_reason(failure, steps=True, value=value)
        return
    fixed, found = urlsplit(marked), urlsplit(sent)
    assert (found.scheme, found.netloc) == (fixed.scheme, fixed.netloc)
    segments = [unquote(segment).replace(MARK, value) for segment in fixed.path.split("/")]
    assert [unquote(segment) for segment in found.path.split("/")] == segments
    pairs = parse_qsl(fixed.query, keep_blank_values=True)
    filled = [(name.replace(MARK, value), given.replace(MARK, value)) for name, given in pairs]
    assert parse_qsl(found.query, keep_blank_values=True) == filled
    assert unquote(found.fragment) == fixed.fragment.replace(MARK, value)
    assert sent.isascii()


@pytest.mark.parametrize("value", ["", ".", "..", "../x", "x/..", "a\\..\\b", "..;x", ".. ", "..\n", "\ud800"])
def test_what_no_encoding_keeps_in_its_path_segment_is_refused(value: str) -> None:
    with pytest.raises(Failure, match=r"args\.x"):
        send("url", "https://api.example/items/${args.x}/comments", x=value)


@pytest.mark.parametrize(
    ("template", "first"),
    [("https://api.example/${args.x}${args.y}", "."), ("https://api.example/.${args.x}", "."), ("/%2e${args.x}", ".")],
)
def test_two_halves_do_not_make_a_step_up(template: str, first: str) -> None:
    with pytest.raises(Failure, match="step to another place"):
        send("url", template, x=first, y=".")


@pytest.mark.parametrize(
    "template",
    [
        "https://${args.x}/items", "https://${args.x}", "https://api.${args.x}.example/", "https://api.example${args.x}",
        "https://api.example:${args.x}/", "https://${args.x}@api.example/", "//${args.x}/items", "https:${args.x}",
        "${args.x}://api.example/", "http:/${args.x}", "HTTPS://${args.x}/",
    ],
)  # fmt: skip
def test_the_scheme_and_the_host_of_a_url_are_never_filled_in(template: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(template)
    assert "argument could choose" in caught.value.problem
    assert "https://api.example.com/" in str(caught.value)


def test_a_url_that_begins_with_a_placeholder_is_refused_where_the_operation_wants_a_url() -> None:
    template = parse_template("${args.x}/items")
    problem = problem_with("url", template, OP.inputs["url"])
    assert problem is not None
    assert "argument could choose the host" in problem
    with pytest.raises(Failure, match="argument could choose the host"):
        render_inputs(OP, {"url": template}, {"x": "https://evil.example"}, {})
    assert send("text", "${args.x}/items", x="a") == "a/items"


@pytest.mark.parametrize("value", ["https://api.example/x?y=1", "http://127.0.0.1:1/x", "https://[::1]:8/"])
def test_a_url_that_is_one_argument_is_passed_as_it_is(value: str) -> None:
    assert send("url", "${args.x}", x=value) == value


@pytest.mark.parametrize(
    "value", ["", "api.example", "file:///etc/passwd", "https://a@b/", "https:// b/", "https://b\\@c/", "https://b/\n"]
)
def test_a_url_that_is_one_argument_must_be_a_url(value: str) -> None:
    with pytest.raises(Failure, match="not an absolute http or https URL"):
        send("url", "${args.x}", x=value)


JSON_AS_TEXT = [
    '{"channel":"${args.channel}","text":"@here ${args.x}"}',
    ' \n{"n": ${args.x}}\n',
    '["${args.x}"]',
    "[1, ${args.x}]",
    '{${args.x}, "fixed": 1}',
    '{"fixed": 1 ${args.x}}',
    '{"${args.x}": 1}',
    'payload={"text":"${args.x}"}',
    '{"index":{}}\n{"text":"${args.x}"}\n',
    '${args.x}"channel":"#ops"}',
    '{"query":"{ user(login: \\"${args.x}\\") { id } }"}',
]


@pytest.mark.parametrize("template", JSON_AS_TEXT)
def test_json_built_as_text_is_refused_wherever_it_stands(template: str) -> None:
    for value in (template, [template], {"nested": {"deep": template}}):
        with pytest.raises(TemplateError) as caught:
            parse_template(value)
        assert "builds JSON as text" in caught.value.problem
        assert "as a table" in str(caught.value)


def test_the_refusal_of_json_as_text_shows_the_same_value_in_the_safe_form() -> None:
    import tomllib

    with pytest.raises(TemplateError) as caught:
        parse_template('{"channel":"${args.channel}","text":"@here ${args.text}","n":${args.n},"a":[1,"$${x}"]}')
    safe = caught.value.safe_form
    assert safe == ('{ channel = "${args.channel}", text = "@here ${args.text}", n = "${args.n}", a = [1, "$${x}"] }')
    table = tomllib.loads(f"body = {safe}")["body"]
    sent = send("body", table, channel="#ops", text='"', n=3)
    assert json.loads(sent) == {"channel": "#ops", "text": '@here "', "n": 3, "a": [1, "${x}"]}


@pytest.mark.parametrize(
    "template", ['{"a": null, "b": "${args.x}"}', '{"${args.x}": 1}', '{"a": NaN, "b": ${args.x}}']
)
def test_what_toml_cannot_write_is_refused_with_the_general_form(template: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(template)
    assert caught.value.safe_form is None
    assert "{ channel =" in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "[urgent] ${args.x}", "Deploy of ${args.x}: done {see log}", '${args.x}: "${args.x}"', "a/b/${args.x}",
        "See https://api.example/${args.x} for more", "/remind me ${args.x}", "<${args.x}>", "${args.x}=1&b",
    ],
)  # fmt: skip
@given(value=hostile)
def test_text_for_people_holds_the_value_as_it_is(template: str, value: str) -> None:
    try:
        assert send("text", template, x=value) == template.replace("${args.x}", value)
    except Failure as failure:
        assert_refused_for_a_reason(failure, steps=False, value=value)


def test_a_text_with_placeholders_is_refused_where_the_operation_wants_json() -> None:
    template = parse_template('"${args.x}"')
    problem = problem_with("body", template, OP.inputs["body"])
    assert problem is not None
    assert "builds JSON as text" in problem
    with pytest.raises(Failure, match="builds JSON as text"):
        render_inputs(OP, {"body": template}, {"x": "a"}, {})
    for wrong in ("no json", "{"):
        assert "not JSON" in str(problem_with("body", parse_template(wrong), OP.inputs["body"]))
    for right in ({"a": 1}, [1], 5, True, "${args.x}", '{"fixed": 1}'):
        assert problem_with("body", parse_template(right), OP.inputs["body"]) is None


@pytest.mark.parametrize(("value", "sent"), [(5, "5"), (True, "true"), ('{"a": 1}', '{"a": 1}'), ('"a"', '"a"')])
def test_one_argument_as_the_whole_json_keeps_its_type_or_is_json_already(value: Any, sent: str) -> None:
    assert send("body", "${args.x}", x=value) == sent


def test_one_argument_as_the_whole_json_must_be_json() -> None:
    with pytest.raises(Failure, match="not JSON"):
        send("body", "${args.x}", x='{"a": 1} trailing')


def test_a_table_for_plain_text_is_said_before_it_runs() -> None:
    problem = problem_with("text", parse_template({"a": "${args.x}"}), OP.inputs["text"])
    assert problem is not None
    assert "takes text" in problem


def test_before_the_first_step_everything_but_results_is_filled_in_and_checked() -> None:
    inputs = {
        "url": parse_template("https://api.example/${args.x}/${seen.id}"),
        "body": parse_template({"a": "${args.x} ${seen.id}", "b": "${seen.id}", "c": "${args.x}"}),
        "text": parse_template("${args.left_out}"),
    }
    outlined = outline_inputs(OP, inputs, {"x": "a b"})
    result = Reference("seen", ("id",))
    assert outlined["url"].parts == ("https://api.example/", "a%20b", "/", result)
    assert outlined["body"]["a"].parts == ("a b", " ", result)
    assert (outlined["body"]["b"], outlined["body"]["c"]) == (result, "a b")
    assert "text" not in outlined
    with pytest.raises(Failure, match="step to another place"):
        outline_inputs(OP, inputs, {"x": ".."})


def test_a_long_value_in_a_url_has_the_bound_of_all_texts() -> None:
    template = parse_template("https://api.example/?q=" + "${args.x}" * 100)
    with pytest.raises(Failure) as caught:
        template.render({"x": "\u00e9" * 100_000}, {})
    assert caught.value.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED
