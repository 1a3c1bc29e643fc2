import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.action import Action
from daemon.core.action_parser import parse_action
from daemon.core.documents import decode_document
from daemon.core.failures import DocumentError
from daemon.core.fqn import Fqn
from daemon.core.manifest import Op
from daemon.core.op_inputs import render_inputs
from daemon.core.semver import Version

ANY_OP = Op(name="call", capability="any", idempotent=False)
ACTIONS = Path(__file__).parents[1] / "data" / "actions"
SHIP = (ACTIONS / "ship-update.md").read_text(encoding="utf-8")
REPORT = (ACTIONS / "file-report.md").read_text(encoding="utf-8")
TRACKER = Fqn.parse("gitlab://acme/tools/tracker")


def test_the_action_of_the_design_is_read() -> None:
    action = parse_action(SHIP, file="actions/ship-update.md")
    assert (action.name, action.tool_name, action.version) == ("ship-update", "ship_update", Version(1, 0, 0))
    assert action.source == "github://acme/actions/ship-update@1.0.0"
    assert action.intent == "tell team I shipped"
    requirement = action.requirement_for(Fqn.parse("github://acme/slack"))
    assert requirement.version == Version(1, 2, 0)
    assert requirement.capabilities == ("chat:write",)
    assert action.inputs[0].required
    assert action.inputs[0].description == "Channel to post to, e.g. '#engineering'."
    assert action.approval.required
    assert action.approval.expires_seconds == 86_400
    preview = action.approval.preview
    assert preview is not None
    assert preview.args["id"].render({"draft_id": "d1"}, {}) == "d1"
    assert list(preview.render.items()) == [
        ("To", "message.to"),
        ("Subject", "message.subject"),
        ("Body", "message.body"),
    ]
    assert preview.multiline == ("Body",)
    assert action.steps[0].timeout_seconds == 30
    assert render_inputs(ANY_OP, action.steps[0].inputs, {"channel": "#eng"}, {}) == {
        "channel": "#eng",
        "text": "Shipped, and said so in #eng.",
    }
    assert action.description.startswith("# Ship update\nPosts ")


def test_an_action_of_several_steps_is_read() -> None:
    action = parse_action(REPORT, file="file-report.md")
    assert [step.id for step in action.steps] == ["now", "search", "create"]
    assert [step.timeout_seconds for step in action.steps] == [30, 0.5, 300]
    assert action.source is None
    assert action.intent is None
    assert action.approval.expires_seconds == 7 * 86_400
    assert {given.name: given.required for given in action.inputs} == {
        "title": True,
        "severity": False,
        "weight": False,
        "count": False,
        "urgent": False,
    }
    assert action.inputs[4].has_default
    assert action.inputs[4].default is False
    args = {"title": "Broken", "severity": "high", "urgent": False, "count": 2}
    steps = {"now": {"time": 12.5}, "search": {"items": [{"id": 7}]}}
    assert render_inputs(ANY_OP, action.steps[2].inputs, args, steps) == {
        "title": "Broken",
        "body": "Seen at 12.5, severity high, urgent false.\nRelated: 7\n",
        "options": {"urgent": False, "related": [7], "count": 2},
    }
    assert action.description == "# File a report\n\nFiles an issue with a pointer to the one most like it."
    with pytest.raises(KeyError):
        action.requirement_for(Fqn.parse("github://acme/other"))


def test_an_approval_is_not_required_unless_the_file_says_so() -> None:
    text = REPORT.replace('[approval]\nrequired = true\nexpires = "7d"\n', "")
    approval = parse_action(text, file="file-report.md").approval
    assert (approval.required, approval.expires_seconds, approval.preview) == (False, 86_400, None)


@pytest.mark.parametrize("change", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_a_byte_order_mark_and_crlf_change_nothing(change: object) -> None:
    assert callable(change)
    changed = change(REPORT)
    assert parse_action(changed, file="file-report.md") == parse_action(REPORT, file="file-report.md")
    raw = changed.encode()
    assert parse_action(decode_document(raw, "a"), file="a") == parse_action(REPORT, file="a")


def test_only_a_file_that_ends_in_md_must_carry_the_actions_name() -> None:
    assert parse_action(SHIP, file="<text>").name == "ship-update"
    with pytest.raises(DocumentError, match=r"Call the file ship-update\.md, or the action 'other'"):
        parse_action(SHIP, file="/home/me/other.md")


H = "sha256:" + "0" * 62
# What is replaced in the report, by what; a piece of the problem; a piece of the remedy; the text on the line named.
BROKEN = [
    ('name = "file-report"', 'name = "File-Report"', "not of the right form", "ship-update", 'name = "File'),
    ('name = "file-report"', 'name = "file_report"', "not of the right form", "hyphens", 'name = "file_'),
    ('name = "file-report"', 'name = "file-"', "not of the right form", "hyphens", 'name = "file-'),
    ('name = "file-report"', f'name = "{"a" * 65}"', "65 characters", "at most 64", "name = "),
    ('name = "file-report"', "name = 3", "is a number", "ship-update", "name = 3"),
    ('name = "file-report"', "", "`name` in the top level is missing", "ship-update", ""),
    ('version = "2.1.0-rc.1"', 'version = "2.1"', "not an exact version", "1.2.0", 'version = "2.1"'),
    ('version = "2.1.0-rc.1"', 'version = "^2.1.0"', "not an exact version", "1.2.0", "version = "),
    ('version = "2.1.0-rc.1"', "version = 2.1", "is a number", "1.2.0", "version = 2.1"),
    ('version = "2.1.0-rc.1"', "", "is missing", "1.2.0", ""),
    ('version = "2.1.0-rc.1"', 'version = "1.0.0"\nsource = "acme"', "names no version", "@1.0.0", "source = "),
    ('version = "2.1.0-rc.1"', 'version = "1.0.0"\nsource = "x://a/b@1.0.0"', "scheme", "@1.0.0", "source = "),
    ('version = "2.1.0-rc.1"', 'version = "1.0.0"\nvesrion = 1', "vesrion", "Did you mean `version`?", "vesrion"),
    ('version = "2.1.0-rc.1"', 'version = "1.0.0"\nzzz = 1', "'zzz' is unknown", "name, version, source", "zzz"),
    ('version = "2.1.0-rc.1"', 'version = "1.0.0"\n[match]\nintend = "x"', "intend", "`intent`", "intend"),
    ('version = "2.1.0-rc.1"', 'version = "1.0.0"\n[match]\nintent = 1', "is a number", "intent", "intent"),
    ('version = "2.1.0-rc.1"', 'version = "1.0.0"\nmatch = 1', "it must be a table", "[match]", "match"),
    ('name = "file://local/clock"', 'name = "acme/clock"', "not a full name", "github://acme/slack", 'name = "acme'),
    ('name = "file://local/clock"', 'name = "svn://a/b"', "scheme", "github://acme/slack", 'name = "svn'),
    ('name = "file://local/clock"', f'name = "{TRACKER}"', "required twice", "Keep one", f'name = "{TRACKER}"'),
    ('version = "0.3.1"', 'version = ">=0.3.1"', "not an exact version", "1.2.0", "version = "),
    (f'hash = "{H}aa"', 'hash = "sha256:abc"', "not of the right form", "64", "hash = "),
    (f'hash = "{H}aa"', f'hash = "{H}AA"', "not of the right form", "lower-case", "hash = "),
    (f'hash = "{H}aa"', f'hash = "{H}aa\\n"', "not of the right form", "64", "hash = "),
    (f'hash = "{H}aa"', f'hash = "md5:{H[7:]}aa"', "not of the right form", "sha256", "hash = "),
    (f'hash = "{H}aa"', "", "`hash` in [[requires.connectors]] (number 1) is missing", "64", "[[requires.connectors]]"),
    (f'hash = "{H}aa"', f'hash = "{H}aa"\nhosts = 1', "'hosts' is unknown", "name, version, hash", "hosts"),
    ('capabilities = ["time:read"]', "", "is missing", "chat:write", "[[requires.connectors]]"),
    ('capabilities = ["time:read"]', 'capabilities = "a"', "is a string", "chat:write", "capabilities = "),
    ('capabilities = ["time:read"]', "capabilities = [1]", "Number 1 of", "chat:write", "capabilities = "),
    ('capabilities = ["time:read"]', 'capabilities = ["a",\n"b",\n"a"]', "'a' again", "once", '"a"]'),
    ('capabilities = ["time:read"]', 'capabilities = ["*"]', "not the name of a capability", "chat:write", "capab"),
    ('name = "title"', 'name = "Title"', "not of the right form", "lower-case", "name = "),
    ('name = "title"', 'name = "ti-tle"', "not of the right form", "lower-case", "name = "),
    ('name = "weight"', 'name = "title"', "declared twice", "Rename", 'name = "title"'),
    ('name = "title"', 'name = "title"\ndefualt = "abc"', "'defualt' is unknown", "`default`", "defualt"),
    ('type = "boolean"', 'type = "bool"', "is 'bool'", "Did you mean `boolean`?", "type = "),
    ('type = "boolean"', 'type = "object"', "is 'object'", "string, integer, number, boolean", "type = "),
    ('type = "boolean"', "", "is missing", "string, integer", "[[inputs]]"),
    ('type = "boolean"', 'type = "boolean"\npattern = "a"', "does not fit the type boolean", "string only", "pattern"),
    ('type = "boolean"', 'type = "boolean"\nenum = [true]', "does not fit", "string and integer", "enum"),
    ('type = "boolean"', 'type = "boolean"\nminimum = 0', "does not fit", "integer and number", "minimum"),
    ("min_length = 3", "minimum = 3", "does not fit the type string", "integer and number", "minimum"),
    ("min_length = 3", "min_length = 81", "larger than `max_length`", "Swap", "min_length"),
    ("min_length = 3", "min_length = -1", "is -1", "from 0", "min_length"),
    ("min_length = 3", "min_length = true", "is true or false", "min_length = 10", "min_length"),
    ("min_length = 3", "min_length = 3.0", "it must be a whole number", "min_length = 10", "min_length"),
    ("max_length = 80", "max_length = 99999999", "is 99999999", "to 1048576", "max_length"),
    ("minimum = 0.5", "minimum = 11", "larger than `maximum`", "Swap", "minimum"),
    ("minimum = 0.5", "minimum = true", "is true or false", "type", "minimum"),
    ("minimum = 0.5", 'minimum = "0"', "is a string", "type", "minimum"),
    ("minimum = 0.5", "minimum = nan", "not finite", "finite number", "minimum"),
    ("minimum = 0.5", "minimum = 9007199254740992", "2^53", "string", "minimum"),
    ("minimum = 0.5", 'pattern = "x"', "does not fit the type number", "string only", "pattern"),
    ("minimum = 0.5", "max_length = 5", "does not fit the type number", "string only", "max_length"),
    ("enum = [1, 2, 3]", "minimum = 0.5", "it must be a whole number", "type", "minimum"),
    ("enum = [1, 2, 3]", "enum = [true, 2, 3]", "Number 1 of `enum`", "List the values", "enum"),
    ("enum = [1, 2, 3]", 'enum = ["1"]', "must be a whole number", "List the values", "enum"),
    ("enum = [1, 2, 3]", "enum = [1, 2.5]", "Number 2 of `enum`", "List the values", "enum"),
    ("enum = [1, 2, 3]", "enum = [1, 1.0]", "there again", "once", "enum"),
    ("enum = [1, 2, 3]", "enum = []", "nothing fits", "List the values", "enum"),
    ("enum = [1, 2, 3]", "enum = 1", "it must be a list", "List the values", "enum"),
    ("enum = [1, 2, 3]", "minimum = 2", "must be at least 2", "the input itself would accept", "default = 1"),
    ('default = "low"', 'default = "mid"', "must be one of 'low', 'high'", "would accept", "default"),
    ('default = "low"', "default = 1", "must be a string", "would accept", "default"),
    ('default = "low"', 'default = "low"\nrequired = true', "is required and has a default", "Remove", "required"),
    ("default = false", 'default = "false"', "must be true or false", "would accept", "default"),
    ("default = false", "default = 1979-05-27", "date or time", "string", "default"),
    ("required = false", 'required = "no"', "it must be true or false", "true or false", "required"),
    ('pattern = "^[^\\\\n]+$"', 'pattern = "("', "cannot be used", "regular expression", "pattern"),
    ('pattern = "^[^\\\\n]+$"', 'pattern = "(a)\\\\1"', "cannot be used", "regular expression", "pattern"),
    ('pattern = "^[^\\\\n]+$"', f'pattern = "{"a" * 257}"', "257 characters", "regular expression", "pattern"),
    ('description = "A short title."', "description = 1", "is a number", "leave it out", "description"),
    ('expires = "7d"', 'expires = "31d"', "longer than 30d", "30d", "expires"),
    ('expires = "7d"', 'expires = "0s"', "is zero", "30d", "expires"),
    ('expires = "7d"', 'expires = "1 week"', "not a duration", "30s", "expires"),
    ('expires = "7d"', "expires = 7", "is a number", "30s", "expires"),
    ('expires = "7d"', 'expire = "7d"', "'expire' is unknown in [approval]", "`expires`", "expire"),
    ('timeout = "5m"', 'timeout = "301s"', "longer than 5m", "5m", "timeout"),
    ('timeout = "5m"', 'timeout = "0ms"', "is zero", "5m", "timeout"),
    ('timeout = "5m"', "timeout = 30", "is a number", "30s", "timeout"),
    ('timeout = "5m"', 'time_out = "5m"', "'time_out' is unknown in [[execute]] (number 3)", "`timeout`", "time_out"),
    ('id = "search"', 'id = "now"', "there twice", "of its own", 'id = "now"'),
    ('id = "search"', 'id = "args"', "may be called 'args'", "rename", 'id = "args"'),
    ('id = "search"', 'id = "Search"', "not of the right form", "id = ", 'id = "Search"'),
    ('id = "search"', "", "`id` in [[execute]] (number 2) is missing", "id = ", "[[execute]]"),
    ('connector = "file://local/clock"', 'connector = "file://local/cluck"', "does not require", "clock", "connector"),
    ('connector = "file://local/clock"', 'connector = "clock"', "not a full name", "github", "connector"),
    ('op = "find_issues"', 'op = "find-issues"', "not of the right form", "post_message", "op = "),
    ('op = "find_issues"', 'op = "Find"', "not of the right form", "post_message", "op = "),
    ('op = "find_issues"', "", "is missing", "post_message", "[[execute]]"),
    ("${args.title}", "${args.titel}", "not an input", "title", "query"),
    ("${args.title}", "${args.title.x}", "no parts", "${args.title}", "query"),
    ("${args.title}", "${create.id}", "not an earlier step", "args or an earlier step (now)", "query"),
    ("${args.title}", "${search.id}", "not an earlier step", "(now)", "query"),
    ("${args.title}", "${nobody.id}", "not an earlier step", "(now)", "query"),
    ("${args.title}", "${args}", "not a template", "${args.<input>}", "query"),
    ("${args.title}", "${args.title", "not a template", "not closed", "query"),
    ("${args.title}", "${env.HOME}", "not an earlier step", "(now)", "query"),
    ('tags = ["${args.severity}"', 'tags = ["${args.serious}"', "${args.serious}", "severity", "tags"),
    ('tags = ["${args.severity}"', "tags = [nan", "not finite", "finite", "tags"),
    ('query = "title: ${args.title}"', '"que ry" = 1', "The name 'que ry' is not allowed", "input", '"que ry"'),
    ("[execute.inputs]\nquery", "inputs = 1\nquery", "", "", ""),
    ("[[inputs]]", "[inputs]", "", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "problem", "remedy", "line"), BROKEN, ids=[f"{row[1]}" for row in BROKEN])
def test_a_broken_rule_is_refused_with_line_problem_and_remedy(
    old: str, new: str, problem: str, remedy: str, line: str
) -> None:
    text = REPORT.replace(old, new, 1)
    assert text != REPORT
    with pytest.raises(DocumentError) as caught:
        parse_action(text, file="<report>")
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert caught.value.line is not None
    assert line in text.split("\n")[caught.value.line - 1]
    assert str(caught.value).startswith(f"<report>:{caught.value.line}: ")


SHIP_BROKEN = [
    ("${args.draft_id}", "${args.draft}", "not an input", "channel, draft_id", "args = "),
    ("${args.draft_id}", "${post.id}", "not an earlier step", "args", "args = "),
    ('op = "get_draft"', "", "`op` in [approval.preview] is missing", "post_message", "[approval.preview]"),
    ('op = "get_draft"', 'op = "Get"', "not of the right form", "post_message", 'op = "Get"'),
    ('multiline = ["Body"]', 'multiline = ["Boddy"]', "does not show", "To, Subject, Body", "multiline"),
    ('multiline = ["Body"]', 'multi = ["Body"]', "unknown in [approval.preview]", "`multiline`", "multi"),
    ('To = "message.to"', 'To = ""', "is empty", "message.subject", "render"),
    ('To = "message.to"', 'To = "message..to"', "not of the right form", "message.subject", "render"),
    ('To = "message.to"', "To = 1", "is a number", "message.subject", "render"),
    ('To = "message.to"', '" " = "x"', "label", "message.subject", "render"),
    ('render = { To = "message.to", Subject = "message.subject", Body = "message.body" }', "render = {}",
     "shows nothing", "message.subject", "render"),
    ('render = { To = "message.to", Subject = "message.subject", Body = "message.body" }', "",
     "is missing", "message.subject", "[approval.preview]"),
    ("[[requires.connectors]]", "[requires]", "", "", ""),
    ("[[execute]]", "[execute]", "", "", ""),
    ("+++\n# Ship", "# Ship", "never closed", "+++", "+++"),
    ("+++\nname", "name", "does not begin", "+++", "name"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "problem", "remedy", "line"), SHIP_BROKEN)
def test_a_broken_preview_or_frame_is_refused_with_line_problem_and_remedy(
    old: str, new: str, problem: str, remedy: str, line: str
) -> None:
    text = SHIP.replace(old, new, 1)
    assert text != SHIP
    with pytest.raises(DocumentError) as caught:
        parse_action(text, file="ship-update.md")
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert caught.value.line is not None
    assert line in text.split("\n")[caught.value.line - 1]


def test_an_action_without_a_body_is_refused() -> None:
    head = SHIP.rpartition("+++\n")[0] + "+++\n"
    for body in ("", "\n", " \t\n\n"):
        with pytest.raises(DocumentError, match="no text below"):
            parse_action(head + body, file="ship-update.md")


def test_an_action_without_steps_or_connectors_is_refused() -> None:
    head, _, rest = REPORT.partition("[[execute]]")
    body = "+++" + rest.partition("+++")[2]
    with pytest.raises(DocumentError, match="has no steps"):
        parse_action(head + body, file="file-report.md")
    start, middle = REPORT.index("[[requires"), REPORT.index("[[inputs]]")
    with pytest.raises(DocumentError, match="requires no connector"):
        parse_action(REPORT[:start] + REPORT[middle:], file="file-report.md")


def test_a_single_step_that_refers_to_itself_is_told_that_nothing_ran_before() -> None:
    with pytest.raises(DocumentError, match="no step has run before"):
        parse_action(SHIP.replace("in ${args.channel}.", "in ${post.x}."), file="ship-update.md")


@pytest.mark.parametrize(
    "table", ['[[inputs]]\nname = "x{}"\ntype = "string"\n', '[[execute]]\nid = "x{}"\nop = "a"\n']
)
def test_an_action_has_a_bounded_number_of_inputs_and_steps(table: str) -> None:
    many = "".join(table.format(number) for number in range(64))
    with pytest.raises(DocumentError, match=r"Number 65 of .* is one too many; there may be 64"):
        parse_action(SHIP.replace("[approval]", f"{many}[approval]"), file="ship-update.md")


names = st.from_regex(re.compile(r"\A[a-z][a-z0-9]*(-[a-z0-9]+)*\Z"), fullmatch=True).filter(lambda n: len(n) <= 64)


@given(names, names)
def test_two_actions_never_share_a_tool_name(one: str, other: str) -> None:
    def tool(name: str) -> str:
        return parse_action(SHIP.replace('"ship-update"', f'"{name}"', 1), file="<text>").tool_name

    assert (tool(one) == tool(other)) == (one == other)


FRAGMENTS = ["+++", "\n", '"', "'''", "[", "]]", "{", "}", "=", "${", "$${", "args.", "nan", "1", "-1", "true",
             "\ufeff", "\x00", "\r", "\u202e", "[[execute]]\n", "[approval.preview]\n", 'op = "x"\n', "9" * 5000,
             "[" * 2000,
             "a." * 100, "é", "\\", "#"]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """A valid document with a few lines or characters lost, doubled, moved or replaced."""
    lines = text.split("\n")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["delete", "double", "swap", "insert", "cut"]))
        if kind == "delete":
            lines[at] = ""
        elif kind == "double":
            lines.insert(at, lines[at])
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            place = draw(st.integers(0, len(lines[at])))
            keep = place if kind == "insert" else draw(st.integers(place, len(lines[at])))
            lines[at] = lines[at][:place] + draw(st.sampled_from(FRAGMENTS) | st.text(max_size=3)) + lines[at][keep:]
    return "\n".join(lines)


@given(st.text() | st.text().map(lambda text: f"+++\n{text}\n+++\nbody") | mutated(SHIP) | mutated(REPORT))
def test_any_text_is_an_action_or_a_document_error(text: str) -> None:
    outcome: Action | DocumentError
    try:
        outcome = parse_action(text, file="<text>")
    except DocumentError as error:
        outcome = error
    if isinstance(outcome, DocumentError):
        assert outcome.problem
        assert outcome.remedy
        assert outcome.line is None or 1 <= outcome.line <= text.count("\n") + 1


def test_an_action_that_builds_json_as_text_is_refused_with_its_line_and_the_safe_form() -> None:
    unsafe = """options = '{"channel":"${args.title}","text":"@here ${args.title}"}'"""
    text = re.sub(r"options = .*", lambda _: unsafe, REPORT)
    with pytest.raises(DocumentError) as caught:
        parse_action(text, file="file-report.md")
    assert caught.value.line == text.split("\n").index(unsafe) + 1
    assert "`options` in [execute.inputs] (number 3) builds JSON as text" in caught.value.problem
    assert caught.value.remedy == (
        'Write it as a table: options = { channel = "${args.title}", text = "@here ${args.title}" }'
    )
    parse_action(text.replace(unsafe, caught.value.remedy.removeprefix("Write it as a table: ")), file="file-report.md")
