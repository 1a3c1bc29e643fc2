"""One grammar for every command: a singular noun, a verb that other commands have too, plain words in the help."""

import re
from typing import Any

import pytest
from cli.command_tree import Leaf, groups, leaves

VERBS = frozenset(
    (
        *("list", "show", "add", "remove", "edit", "enable", "disable", "check", "run", "use", "get", "set"),
        *("start", "stop", "build", "prune", "init", "exec", "attach", "sign", "verify", "export", "resume", "watch"),
    )
)
"""What can be done to many kinds of things has one word for all of them."""
WORDS_OF_ONE_THING = {
    "vault lock": "what a lock does",
    "vault unlock": "what a lock does",
    "vault passwd": "what Unix calls the change of a passphrase",
    "vault status": "there is one vault, so nothing is listed",
    "daemon status": "there is one daemon, so nothing is listed",
    "sandbox logs": "what docker calls it, and a noun there, too",
    "action result": "what became of a run that waited",
    "approval approve": "the decision itself",
    "approval deny": "the decision itself",
    "question answer": "the answer itself",
    "audit head": "the newest link of the chain, as git calls it",
    "audit key": "the public half of the one key that the log has",
    "server tools": "a part of it, which is listed",
    "server test": "asks the server itself; `check` is for files",
    "server login": "what gh and docker call it",
    "server logout": "what gh and docker call it",
    "server restart": "what systemd and docker call it",
    "server review": "a person's look at what changed",
    "server import": "the word of every program for taking over what another one has",
    "server restore": "undoes `import`; `restore` is what gives back, as of a backup",
    "server logs": "what docker calls it, and a noun there, too",
    "session end": "what is over is ended; it is not removed, and stays in the list",
    "session diff": "what git calls it",
    "session land": "the word of this product for taking work over",
    "session discard": "the other answer to `land`",
    "open approval": "`open` is the verb, and leads to a page",
    "open question": "`open` is the verb, and leads to a page",
    "open session": "`open` is the verb, and leads to a page",
}
ALONE = {
    "launch": "a verb that the whole program is about",
    "status": "of everything",
    "doctor": "what brew and flutter call it",
    "stop": "short for `daemon stop`",
    "version": "asked for by people and scripts",
    "help": "asked for by people",
    "completion": "what gh and docker call it",
    "logs": "what docker calls it",
    "backup": "of everything",
    "restore": "of everything",
}
"""Commands that stand without a noun, each with the reason."""
ENDS_IN_S = frozenset({"status"})
METAVAR = re.compile(r"(?:-- )?[A-Z][A-Z_]*(?:\[?[=:][A-Z]+\]?)?|[a-z]+(?:\|[a-z]+)+")
"""NAME, KEY=VALUE, UID[:GID], or the words that are known: ask|auto|never."""
WITHOUT_JSON = {
    "daemon run": "becomes the daemon",
    "approval watch": "follows, and answers with nothing",
    "session watch": "follows, and answers with nothing",
    "audit export": "writes JSON Lines anyway",
    "audit head": "writes JSON anyway",
    "open approval": "prints a link",
    "open question": "prints a link",
    "open session": "prints a link",
    "help": "prints help",
    "completion": "prints a script",
    "config edit": "is the person's editor",
    "sandbox exec": "is another program",
    "sandbox attach": "is another program",
    "sandbox logs": "prints what another program wrote",
}
"""What prints nothing that a program would take apart."""


def all_leaves() -> Any:
    return pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.name)


@all_leaves()
def test_a_command_is_a_verb_of_the_common_list_or_has_its_reason(leaf: Leaf) -> None:
    if len(leaf.path) == 1:
        assert leaf.name in ALONE
    else:
        assert leaf.path[-1] in VERBS or leaf.name in WORDS_OF_ONE_THING


@pytest.mark.parametrize("path", groups(), ids=" ".join)
def test_a_group_is_a_singular_noun(path: tuple[str, ...]) -> None:
    assert not path[-1].endswith("s") or path[-1] in ENDS_IN_S


@all_leaves()
def test_every_word_that_stands_for_something_is_plain(leaf: Leaf) -> None:
    for parameter in leaf.command.params:
        if not getattr(parameter, "is_flag", False):
            assert METAVAR.fullmatch(parameter.metavar or ""), f"{parameter.name}: {parameter.metavar}"


@all_leaves()
def test_the_short_help_is_a_sentence_that_is_not_cut(leaf: Leaf) -> None:
    said = leaf.command.get_short_help_str(limit=75)
    assert re.fullmatch(r"[A-Z].*[a-z)]\.", said)


@all_leaves()
def test_a_command_that_answers_can_answer_in_json(leaf: Leaf) -> None:
    assert ("--json" in leaf.options) != (leaf.name in WITHOUT_JSON)


def test_h_is_help_everywhere_and_shows_no_type_and_no_brace(cli: Any) -> None:
    for path in ((), *groups(), *(leaf.path for leaf in leaves())):
        shown = cli(*path, "-h")
        assert (shown.code, shown.err) == (0, "")
        assert shown.out == cli(*path, "--help").out
        assert shown.out == cli("help", *path).out.replace("  --help   ", "  -h, --help")
        assert not re.search(r"<[a-z\[\]]+>|{[A-Za-z_]+}", shown.out)


def test_help_of_what_is_not_there_leads_to_what_is(cli: Any) -> None:
    ended = cli("help", "binding", "ad")
    assert (ended.code, ended.out) == (2, "")
    assert "aileron binding has no command 'ad'" in ended.err
    assert "aileron binding --help" in ended.err
