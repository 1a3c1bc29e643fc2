"""Entries in agents' files: taken out with every other byte kept, given back, or left alone with a reason."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.importing.texts import SYNTAXES
from launchers.registration.errors import RegistrationError

CLAUDE = """{
  "numStartups": 3,
  "mcpServers": {
    "github": {
      "command": "npx", "args": ["-y", "gh"]
    },
    "notes": { "command": "notes" },
    "last": { "command": "last" }
  },
  "projects": {"/p": {"mcpServers": {"db": {"command": "db"}}, "history": ["{", "}"]}}
}
"""
VSCODE = """\ufeff// mine
{
\t"servers": {
\t\t// the first one
\t\t"github": { "url": "https://a.example/mcp" }, // kept, with a comma
\t\t/* between */
\t\t"notes": { "command": "notes", }, // kept as well
\t},
}"""
CODEX = """model = "gpt-5"  # mine

# about github
[mcp_servers.github]
command = "npx"
# inside
args = ["-y", \"\"\"
[mcp_servers.no]
\"\"\"]

[mcp_servers.github.env]
TOKEN = "x"

[mcp_servers."my notes"]
command = "notes"

# behind
[tui]
x = 1
"""
GOOSE = """# mine
GOOSE_MODE: auto
extensions:
  developer: {type: builtin, name: developer, enabled: true}
  # about github
  github:
    type: stdio
    cmd: npx
    args:
      - -y
      - gh

  # about notes
  notes: {type: stdio, cmd: notes}
other: 1
"""
CASES = {
    "json": (CLAUDE, [("mcpServers", "github"), ("mcpServers", "last"), ("projects", "/p", "mcpServers", "db")]),
    "jsonc": (VSCODE, [("servers", "github"), ("servers", "notes")]),
    "toml": (CODEX, [("mcp_servers", "github"), ("mcp_servers", "my notes")]),
    "yaml": (GOOSE, [("extensions", "github"), ("extensions", "notes")]),
}


def lines_gone(before: str, after: str) -> list[str]:
    rest = after.splitlines()
    gone = []
    for line in before.splitlines():
        if rest and rest[0] == line:
            rest.pop(0)
        else:
            gone.append(line)
    assert rest == [], "what is left is no part of what was there"
    return gone


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("syntax", CASES)
def test_only_the_lines_of_an_entry_go_and_comments_and_line_ends_stay(syntax: str, ends: str) -> None:
    text, keys = CASES[syntax]
    text = text.replace("\n", ends)
    after = SYNTAXES[syntax].taken_out(text, keys)
    assert after.startswith("\ufeff") == text.startswith("\ufeff")
    assert after.count("\n") == after.count(ends)
    for kept in ("// mine", "the first one", "/* between */", "// kept", "# about", "# behind", "# mine", "history"):
        assert (kept in after) == (kept in text)
    if syntax in {"toml", "yaml"}:
        assert lines_gone(text, after)


def test_a_removal_of_the_last_member_takes_the_comma_before_it() -> None:
    after = SYNTAXES["json"].taken_out(CLAUDE, [("mcpServers", "last")])
    assert after == CLAUDE.replace(',\n    "last": { "command": "last" }', "")


def test_a_removal_on_one_line_leaves_one_line() -> None:
    text = '{"mcpServers": {"a": {"command": "a"}, "b": {"command": "b"}}, "x": 1}'
    json_ = SYNTAXES["json"]
    assert json_.taken_out(text, [("mcpServers", "a")]) == '{"mcpServers": {"b": {"command": "b"}}, "x": 1}'
    assert json_.taken_out(text, [("mcpServers", "b")]) == '{"mcpServers": {"a": {"command": "a"}}, "x": 1}'
    both = [("mcpServers", "a"), ("mcpServers", "b")]
    assert json_.taken_out(text, both) == '{"mcpServers": {}, "x": 1}'


@pytest.mark.parametrize("syntax", CASES)
def test_entries_come_back_into_a_file_that_was_changed_meanwhile(syntax: str) -> None:
    text, keys = CASES[syntax]
    how = SYNTAXES[syntax]
    after = how.taken_out(text, keys)
    changed = {
        "json": after.replace('"numStartups": 3', '"numStartups": 44'),
        "jsonc": after.replace("// mine", "// changed"),
        "toml": after.replace("gpt-5", "changed"),
        "yaml": after.replace("auto", "changed"),
    }[syntax]
    assert changed != after
    back = how.given_back(changed, text, keys)
    assert how.present(back, keys) == keys
    assert "44" in back or "changed" in back
    assert how.taken_out(back, keys) == changed or syntax in {"toml", "json", "jsonc"}
    assert how.read(how.taken_out(back, keys)) == how.read(changed)


def test_entries_come_back_into_a_file_that_lost_their_container() -> None:
    for syntax, empty in (("json", ""), ("json", "{}"), ("jsonc", "{ }"), ("toml", ""), ("yaml", "a: 1\n")):
        text, keys = CASES[syntax]
        back = SYNTAXES[syntax].given_back(empty, text, keys)
        assert SYNTAXES[syntax].present(back, keys) == keys


def test_the_last_extension_leaves_an_empty_mapping_and_no_null() -> None:
    text = "extensions:\n  notes: {type: stdio, cmd: notes}\nx: 1\n"
    after = SYNTAXES["yaml"].taken_out(text, [("extensions", "notes")])
    assert after == "extensions: {}\nx: 1\n"
    assert SYNTAXES["yaml"].given_back(after + "y: 2\n", text, [("extensions", "notes")]) == text + "y: 2\n"


def test_an_entry_that_is_there_again_is_not_written_over() -> None:
    with pytest.raises(RegistrationError, match="again"):
        SYNTAXES["json"].given_back(CLAUDE, CLAUDE, [("mcpServers", "github")])


@pytest.mark.parametrize(
    ("syntax", "text", "key"),
    [
        ("json", '{"mcpServers": {"a": {}, "a": {}}}', ("mcpServers", "a")),
        ("json", '{"mcpServers": {"a": {}}} {', ("mcpServers", "a")),
        ("json", '{"mcpServers": ' + '{"a":' * 5000 + "1" + "}" * 5001, ("mcpServers", "a")),
        ("json", '{"mcpServers": {"a": {}} // no comments here\n}', ("mcpServers", "a")),
        ("jsonc", '{"servers": {"a": {} /* without end }}', ("servers", "a")),
        ("toml", 'mcp_servers = { a = { command = "x" } }\n', ("mcp_servers", "a")),
        ("toml", "[mcp_servers.a]\n[mcp_servers.a]\n", ("mcp_servers", "a")),
        ("toml", "[mcp_servers.a]\nx = " + "[" * 5000 + "]" * 5000, ("mcp_servers", "a")),
        ("toml", "[mcp_servers.a]\nx = " + "9" * 5000, ("mcp_servers", "a")),
        ("yaml", "extensions: {a: {cmd: x}, b: {cmd: y}}\n", ("extensions", "a")),
        ("yaml", "extensions:\n  a: &x {cmd: x}\n  b: *x\n", ("extensions", "a")),
        ("yaml", "base: &b {a: {cmd: x}}\nextensions:\n  <<: *b\n", ("extensions", "a")),
        ("yaml", "extensions:\n  a: 1\n  a: 2\n", ("extensions", "a")),
        ("yaml", "extensions:\n  a: " + "[" * 3000 + "]" * 3000 + "\n", ("extensions", "a")),
        ("yaml", "extensions:\n  a: !!python/object:os.system {}\n", ("extensions", "a")),
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_left_alone(syntax: str, text: str, key: tuple[str, str]) -> None:
    with pytest.raises(RegistrationError):
        SYNTAXES[syntax].taken_out(text, [key])


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
VALUES = st.recursive(st.none() | st.integers() | NAMES, lambda inner: st.lists(inner, max_size=2), max_leaves=3)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3)


@given(
    st.dictionaries(NAMES, OBJECTS, min_size=1, max_size=4),
    OBJECTS,
    st.sampled_from([None, 2, "\t"]),
    st.booleans(),
    st.data(),
)
def test_a_removal_is_part_of_the_text_and_giving_back_is_its_inverse(
    servers: dict[str, Any], rest: dict[str, Any], indent: int | str | None, comments: bool, data: st.DataObject
) -> None:
    held = {**rest, "mcpServers": servers}
    text = json.dumps(held, indent=indent, ensure_ascii=False)
    keys = [("mcpServers", name) for name in servers if data.draw(st.booleans())]
    how = SYNTAXES["jsonc" if comments else "json"]
    after = how.taken_out(text, keys)
    left = iter(text)
    assert all(letter in left for letter in after), "letters were added or moved"
    assert how.read(after) == {
        **rest,
        "mcpServers": {k: v for k, v in servers.items() if ("mcpServers", k) not in keys},
    }
    assert how.read(how.given_back(after, text, keys)) == held


BETWEEN = st.lists(st.sampled_from(["# a comment\n", "\n", "   # [mcp_servers.no]\n"]), max_size=2).map("".join)
PARTS = st.lists(st.tuples(BETWEEN, st.booleans(), st.integers(0, 2)), min_size=1, max_size=5)
TABLES = (
    '[mcp_servers."n {0}"]\ncommand = "x"\n',
    '[mcp_servers."n {0}"]\nargs = [\n  "[mcp_servers.z]", # inside\n]\n[mcp_servers."n {0}".env]\nA = """\n[x]\n"""\n',
    '[mcp_servers."n {0}"] # behind\ncommand = "x"\n# inside\nenv = {{ A = "b" }}\n',
)
ENTRIES = (
    "  n {0}: {{type: stdio, cmd: x}}\n",
    "  n {0}:\n    type: stdio\n    # inside\n    args:\n    - a\n",
    "  'n {0}':\n    cmd: |\n      a\n      b\n",
)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("syntax", ["toml", "yaml"])
@settings(max_examples=25)
@given(PARTS)
def test_what_stands_around_tables_and_extensions_stays_to_the_last_byte(
    syntax: str, mark: str, ends: str, parts: list[tuple[str, bool, int]]
) -> None:
    head, forms, tail, name = {
        "toml": ("a = 1\n", TABLES, "[z]\n", "mcp_servers"),
        "yaml": ("a: 1\nextensions:\n  kept: {type: builtin}\n", ENTRIES, "z: 1\n", "extensions"),
    }[syntax]
    blocks = [forms[which].format(number) for number, (_, _, which) in enumerate(parts)]
    keys = [(name, f"n {number}") for number, (_, goes, _) in enumerate(parts) if goes]
    whole = head + "".join(between + block for (between, _, _), block in zip(parts, blocks, strict=True)) + tail
    rest = head + "".join(
        between + ("" if goes else block) for (between, goes, _), block in zip(parts, blocks, strict=True)
    )
    text, wanted = (mark + each.replace("\n", ends) for each in (whole, rest + tail))
    how = SYNTAXES[syntax]
    assert how.taken_out(text, keys) == wanted
    assert how.read(how.given_back(wanted, text, keys)) == how.read(text)
