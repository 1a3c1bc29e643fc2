"""Putting our server into a file and taking it out again gives back the same bytes, whatever the file looks like."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from launchers.registration.entries import PLACES
from launchers.registration.errors import RegistrationError

COMMAND = ("/opt/aileron/bin/aileron-mcp",)
JSON_FILES = [
    "",
    "{}",
    "{ }",
    "{\n}\n",
    '{"numStartups": 3}',
    '{\n  "numStartups": 3,\n  "theme": "dark"\n}\n',
    '{\n  "mcpServers": {}\n}\n',
    '{\n  "mcpServers": {\n  }\n}',
    '{\n\t"z": 1,\n\t"mcpServers": {\n\t\t"mine": {"command": "x", "args": []}\n\t},\n\t"a": [1, 2, {"b": null}]\n}\n',
    '{"mcpServers":{"mine":{"command":"x"}},"é":"ü\\u0000 \\" }{"}',
    '{\r\n  "mcpServers": {\r\n    "mine": {"command": "x"}\r\n  }\r\n}\r\n',
    '\ufeff{\n  "a": 1\n}',
]
JSONC_FILES = [
    '// mine\n{\n  /* a { brace */ "mcp": {\n    // a server\n    "mine": {"type": "local",},\n  }, // end\n}\n',
    '{\n  "theme": "x", // "mcp": {}\n}\n',
    "{ // nothing yet\n}\n",
]
TOML_FILES = [
    "",
    "# only a comment",
    'model = "gpt-5"\n',
    'model = "gpt-5"',
    '# mine\nmodel = "gpt-5"  # why\n\n[mcp_servers.mine]\ncommand = "x"\n\n\n',
    '[mcp_servers]\n[mcp_servers.mine]\ncommand = "x"\nargs = ["""\n[mcp_servers.other]\n"""]\n',
    'a = 1\r\n[b]\r\nc = "é"\r\n',
    "\ufeffa = 1\n",
    "[[history]]\nx = 1\n[[history]]\nx = 2\n",
    'note = """\n[mcp_servers.aileron]\ncommand = "x"\n"""\n',
    "note = '''\n[mcp_servers.aileron]\n'''\n[b]\nc = 1\n",
    'a = [\n[1, 2],\n["[mcp_servers.aileron]"],\n]\n# [mcp_servers.aileron]\n',
    'a = "\u2028[mcp_servers.aileron]"\n[mcp_servers."ail.eron"]\nx = {b = [\n1]}\n',
    'mcp_servers.mine.command = "x"\n',
]
YAML_FILES = [
    "",
    "GOOSE_PROVIDER: openai\n",
    "GOOSE_PROVIDER: openai",
    "# mine\nextensions:\n  developer:\n    enabled: true # yes\n    type: builtin\nGOOSE_MODE: auto\n",
    "extensions: # those I use\n    # the first\n    developer: {enabled: true}\n",
    "note: |\n  extensions:\n  aileron: {x: 1}\nextensions:\n  mine: {cmd: x}\n",
    "extensions:\n  mine:\n    description: |\n      aileron: {}\n      # no comment\n\n# the end\nz: 1\n",
    "extensions:\nz: 1\n",
    "extensions: # none yet\n",
    "a: é\r\nextensions:\r\n  developer:\r\n    enabled: true\r\n",
]


def cases() -> list[Any]:
    made = [(agent, text) for agent in ("claude", "pi") for text in JSON_FILES]
    made += [("opencode", text.replace("mcpServers", "mcp")) for text in (*JSON_FILES, *JSONC_FILES)]
    made += [("codex", text) for text in TOML_FILES]
    return made + [("goose", text) for text in YAML_FILES]


@pytest.mark.parametrize(("agent", "text"), cases())
@pytest.mark.parametrize("variables", [{}, {"AILERON_HOME": "/home/ann/é"}])
def test_in_and_out_again_is_the_same_file(agent: str, text: str, variables: dict[str, str]) -> None:
    place = PLACES[agent]
    there = place.register(text, COMMAND, variables, force=False)
    assert place.find(there) == place.entry(COMMAND, variables)
    assert place.register(there, COMMAND, variables, force=False) == there
    assert place.unregister(there) == text
    assert place.unregister(text) == text
    newer = place.register(there, ("/elsewhere/aileron-mcp",), {}, force=False)
    assert place.find(newer) == place.entry(("/elsewhere/aileron-mcp",), {})
    assert place.unregister(newer) == text


@pytest.mark.parametrize(("agent", "text"), [case for case in cases() if case[1].strip()])
def test_everything_else_in_the_file_means_what_it_meant(agent: str, text: str) -> None:
    if agent == "opencode":
        return  # comments: no reader of ours but the one under test
    read: Any = {
        "codex": lambda t: tomllib.loads(t.removeprefix("\ufeff")),
        "goose": lambda t: YAML(typ="safe", pure=True).load(t),
    }.get(agent, lambda t: json.loads(t.removeprefix("\ufeff")))
    under = {"codex": "mcp_servers", "goose": "extensions"}.get(agent, "mcpServers")
    before, after = read(text) or {}, read(PLACES[agent].register(text, COMMAND, {}, force=False))
    del after[under]["aileron"]
    if not before.pop(under, None):
        assert after.pop(under) == {}
    else:
        assert after.pop(under) == read(text)[under]
    assert after == before


@pytest.mark.parametrize(
    ("agent", "text", "said"),
    [
        ("claude", "{", "line 1"),
        ("claude", '{\n"a": 1,\n}', "line 3"),
        ("claude", '{"a": 1} x', "behind the end"),
        ("claude", "[]", "does not hold an object"),
        ("claude", '{"mcpServers": []}', "not an object"),
        ("claude", '{"mcpServers": {}, "mcpServers": {}}', "twice"),
        ("claude", '{"mcpServers": {"aileron": {"command": "other"}}}', "--force"),
        ("claude", "// no comments here\n{}", "line 1"),
        ("claude", "[" * 300, "deeply"),
        ("codex", "x = " + "[" * 5000 + "]" * 5000, "deeply"),
        ("codex", "x = " + "9" * 5000, "digits"),
        ("goose", "x: " + "[" * 1000 + "]" * 1000, "deeply"),
        ("claude", "{a: 1}", "name in quotes"),
        ("claude", '{"a" 1}', "colon"),
        ("claude", '{"a": 1 "b": 2}', "comma is missing"),
        ("opencode", "{} /* never", "does not end"),
        ("codex", "a = = 1", "not valid TOML"),
        ("codex", "mcp_servers = 3", "not a table"),
        ("codex", 'mcp_servers = { mine = { command = "x" } }\n', "in braces"),
        ("codex", 'mcp_servers = { aileron = { command = "aileron-mcp" } }\n', "by hand"),
        ("codex", 'mcp_servers.aileron.command = "aileron-mcp"\n', "by hand"),
        ("goose", "a: [", "not valid YAML"),
        ("goose", "a:\n\tb: 1\n", "^line 2: it is not valid YAML: found character"),
        ("goose", "- a\n", "mapping"),
        ("goose", "extensions: [a]\n", "not a mapping"),
        ("goose", "extensions: {}\n", "lines below"),
        ("goose", "a: 1\n...\n", "by hand"),
        ("goose", "b: &b\n  aileron: {cmd: aileron-mcp}\nextensions:\n  <<: *b\n  z: {}\n", "anchor"),
        ("goose", "extensions: {developer: {enabled: true}}\n", "lines below"),
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_left_alone_and_says_why(agent: str, text: str, said: str) -> None:
    with pytest.raises(RegistrationError, match=said):
        PLACES[agent].register(text, COMMAND, {}, force=False)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(max_size=6), _JSON, max_size=4),
    st.none() | st.dictionaries(st.text(max_size=6).filter(lambda t: t != "aileron"), _JSON, max_size=3),
    st.sampled_from([None, 0, 1, 4, "\t"]),
)
def test_any_json_object_comes_back_as_it_was(data: dict[str, Any], servers: Any, indent: Any) -> None:
    if servers is not None:
        data["mcpServers"] = servers
    elif "mcpServers" in data:
        del data["mcpServers"]
    text = json.dumps(data, indent=indent)
    place = PLACES["claude"]
    there = place.register(text, COMMAND, {}, force=False)
    assert json.loads(there)["mcpServers"]["aileron"] == place.entry(COMMAND, {})
    assert place.unregister(there) == text


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_do_anything_but_read_or_refuse(text: str) -> None:
    for place in PLACES.values():
        try:
            there = place.register(text, COMMAND, {}, force=False)
        except RegistrationError:
            continue
        assert place.unregister(there) == text


OWN = [
    ("claude", '{"a": 1, "mcpServers": {"x": {}, "aileron":   { "command": "mine",\n "args": [] }, "z": 1}}\n'),
    ("claude", '{\n  "mcpServers": {\n    "aileron": {"url": "http://x"}\n  }\n}\n'),
    ("pi", '{"mcpServers": {"aileron": {"command": "mine"}}}'),
    ("opencode", '// c\n{"mcp": {"aileron": {"type": "remote", /* why */ "url": "x",}, },}\n'),
    (
        "codex",
        'a = 1\n\n# mine\n[mcp_servers.aileron] # yes\ncommand = "x"\n# why\nargs = [\n["y"],\n]\n\n[b]\nc = 2\n',
    ),
    ("codex", '[mcp_servers."aileron"]\nurl = "x"\n[mcp_servers.aileron.env]\nA = "[b]"\n[mcp_servers.b]\nurl = "y"\n'),
    ("codex", '[mcp_servers.aileron]\nurl = "x"'),
    ("goose", "extensions:\n  a: {cmd: y}\n  aileron: {cmd: x} # mine\n  b: {cmd: z}\n"),
    (
        "goose",
        "extensions:\n    b:\n        cmd: z\n    aileron:\n        cmd: x\n        # why\n        a: 1\nc: 1\n",
    ),
    ("goose", "extensions:\n  aileron:\n    cmd: x\n    args:\n    - y\nz: 1\n"),
    ("goose", "\ufeffextensions:\r\n  aileron: {cmd: x,\r\n    args: [\r\n    y]}\r\n# c\r\n"),
    ("goose", "extensions:\n  aileron:\n  b: {}\n"),
]


@pytest.mark.parametrize(("agent", "text"), OWN)
def test_an_entry_of_the_persons_own_is_given_back(agent: str, text: str) -> None:
    place = PLACES[agent]
    there = place.register(text, COMMAND, {}, force=True)
    assert place.find(there) == place.entry(COMMAND, {})
    newer = place.register(there, ("/elsewhere/aileron-mcp",), {}, force=False)
    assert place.unregister(newer, text) == text
    assert place.find(place.unregister(there)) is None  # where nothing is known of before


@pytest.mark.parametrize(
    ("agent", "change"),
    [
        ("claude", lambda text: text.replace('"mcpServers"', '"later": true, "mcpServers"')),
        ("pi", lambda text: text.replace('"mcpServers"', '"later": true, "mcpServers"')),
        ("opencode", lambda text: text.replace('"mcp"', '"later": true, "mcp"')),
        ("codex", lambda text: f"{text}\n[later]\nx = 1\n"),
        ("codex", lambda text: f"later = 1\n{text}"),
        ("goose", lambda text: f"{text}later: 1\n"),
    ],
)
def test_what_was_changed_meanwhile_stays_changed_when_an_entry_is_given_back(agent: str, change: Any) -> None:
    place = PLACES[agent]
    for text in (text for name, text in OWN if name == agent):
        changed = change(place.register(text, COMMAND, {}, force=True))
        given = place.unregister(changed, text)
        assert place.find(given) == place.find(text)
        assert "later" in given
        assert "aileron-mcp" not in given
        assert place.unregister(place.register(given, COMMAND, {}, force=True), given) == given


def test_what_an_agent_wrote_behind_or_below_our_table_does_not_keep_it_in() -> None:
    place = PLACES["codex"]
    there = place.register("a = 1\n", COMMAND, {}, force=False)
    more = '\n# a note\n[projects."/x"]\ntrust_level = "trusted"\n'
    assert place.unregister(there + more) == f"a = 1\n{more}"
    assert place.unregister(f"{there}[b]\nc = 1\n") == "a = 1\n[b]\nc = 1\n"
    below = f'{there}\n[mcp_servers.aileron.tools.post_item]\napproval_mode = "approve"\n'
    assert place.unregister(below).strip() == "a = 1"


def test_an_entry_that_goose_has_written_anew_over_several_lines_is_taken_out() -> None:
    place = PLACES["goose"]
    entry = "".join(f"    {name}: {json.dumps(value)}\n" for name, value in place.entry(COMMAND, {}).items())
    text = f"extensions:\n  mine:\n    cmd: x\n  aileron:\n{entry}z: 1\n"
    assert place.unregister(text) == "extensions:\n  mine:\n    cmd: x\nz: 1\n"


_TOML_LINES = st.sampled_from(
    [
        "# [mcp_servers.aileron]",
        'x = """\n[mcp_servers.aileron]\n"""',
        "x = '''\n[a]\n'''",
        "x = [\n[1],\n[2]]",
        'x = "]"',
        "",
        "[a]",
        "[[b]]",
        "[mcp_servers.mine]",
        "[ mcp_servers . aileron ]",
        "[mcp_servers.aileron.env]",
        'mcp_servers.other.command = "x"',
    ]
)


@given(st.lists(_TOML_LINES, max_size=8), st.sampled_from(["\n", ""]))
def test_any_toml_file_comes_back_as_it_was(lines: list[str], end: str) -> None:
    text = "\n".join(lines) + end
    place = PLACES["codex"]
    try:
        before = tomllib.loads(text)
        there = place.register(text, COMMAND, {}, force=True)
    except (tomllib.TOMLDecodeError, RegistrationError):
        return
    assert place.unregister(there, text) == text
    after = tomllib.loads(there)
    assert after["mcp_servers"].pop("aileron") == place.entry(COMMAND, {})
    before.get("mcp_servers", {}).pop("aileron", None)
    if "mcp_servers" not in before:
        assert after.pop("mcp_servers") == {}
    assert {name: value for name, value in after.items() if value} == {n: v for n, v in before.items() if v}
