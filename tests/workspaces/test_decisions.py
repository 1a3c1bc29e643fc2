"""What a decision takes of the changes that were shown, and what it leaves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.landing import shown
from daemon.core.principal import Means, Principal
from daemon.workspaces.decisions import (
    Decision,
    DecisionError,
    How,
    Left,
    Mode,
    changed_since,
    choose,
    matches,
    plan_of,
    plan_of_commits,
)
from daemon.workspaces.values import Act, Branch, Change, Changes, Entry, Kind


def change(path: str, act: Act = Act.ADDED, *, digest: str = "a", **what: object) -> Change:
    agent = None if act is Act.DELETED else Entry(kind=Kind.FILE, size=1, digest=digest)
    person = None if act is Act.ADDED else Entry(kind=Kind.FILE, size=2, digest="before")
    return Change(path=path, act=act, agent=agent, person=person, **what)  # type: ignore[arg-type]


PLAIN = change("src/app.py", Act.MODIFIED)
LATER = change(".vscode/tasks.json", later=("VS Code runs it when you open this folder",))
REFUSED = change("pipe", refused="it is a fifo")
CONFLICT = change("README.md", Act.MODIFIED, conflict="it was changed in your folder, too")
SHOWN = Changes(items=(LATER, PLAIN, REFUSED, CONFLICT))


def decide(**what: object) -> Decision:
    return Decision(**({"by": Principal.person(Means.CLI), "how": How.OPTION, "plan": plan_of(SHOWN)} | what))  # type: ignore[arg-type]


def taken(decision: Decision, **options: object) -> list[str]:
    return [each.path for each in choose(SHOWN, decision, **options).take]  # type: ignore[arg-type]


def test_what_would_run_later_is_left_unless_it_was_named() -> None:
    chosen = choose(SHOWN, decide())
    assert [each.path for each in chosen.take] == ["src/app.py", "README.md"]
    assert chosen.left[0].path == ".vscode/tasks.json"
    assert "VS Code runs it" in chosen.left[0].why
    assert taken(decide(yes_to=frozenset({".vscode/tasks.json"}))) == [".vscode/tasks.json", "src/app.py", "README.md"]


def test_a_yes_to_a_folder_is_no_yes_to_what_is_in_it() -> None:
    with pytest.raises(DecisionError, match=r"Nothing changed at '\.vscode'"):
        choose(SHOWN, decide(yes_to=frozenset({".vscode"})))


def test_choosing_a_path_is_no_yes_to_what_would_run_later() -> None:
    assert taken(decide(paths=(".vscode/tasks.json",))) == []


def test_what_is_refused_never_lands_whatever_is_named() -> None:
    everything = frozenset(each.path for each in SHOWN.items)
    assert "pipe" not in taken(decide(yes_to=everything, paths=tuple(everything)))
    assert Left("pipe", "it is a fifo") in choose(SHOWN, decide(yes_to=everything)).left


def test_a_conflict_does_not_stop_the_rest_and_is_handed_on_to_be_kept_aside() -> None:
    assert taken(decide())[-1] == "README.md"


def test_folders_choose_what_is_below_them_and_nothing_beside() -> None:
    shown = Changes(items=(change("src/a"), change("src2/a"), change("src")))
    assert [each.path for each in choose(shown, decide(paths=("src/",))).take] == ["src/a", "src"]


def test_what_was_not_chosen_is_left_in_the_words_that_the_command_line_counts() -> None:
    assert {each.why for each in choose(SHOWN, decide(paths=("src",))).left} == {shown._NOT_CHOSEN}


def test_a_path_at_which_nothing_changed_is_said() -> None:
    with pytest.raises(DecisionError, match="Nothing changed at 'nowhere'"):
        choose(SHOWN, decide(paths=("nowhere",)))


def test_without_a_question_only_patterns_of_the_settings_name_what_would_run_later() -> None:
    auto = decide(mode=Mode.AUTO, how=How.AUTO)
    assert taken(auto) == ["src/app.py", "README.md"]
    assert taken(auto, auto_yes=(".vscode/*",)) == [".vscode/tasks.json", "src/app.py", "README.md"]
    with pytest.raises(DecisionError, match="auto_yes"):
        choose(SHOWN, decide(mode=Mode.AUTO, how=How.AUTO, yes_to=frozenset({".vscode/tasks.json"})))


def test_the_patterns_of_the_settings_count_only_without_a_question() -> None:
    assert ".vscode/tasks.json" not in taken(decide(), auto_yes=("**",))


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.sh", "run.sh", True),
        ("*.sh", "bin/run.sh", False),
        ("**/*.sh", "bin/deep/run.sh", True),
        ("**/*.sh", "run.sh", True),
        ("bin/**", "bin/a/b", True),
        ("bin/**", "cabin/a", False),
        ("a.b", "aXb", False),
        ("*", "line\nbreak", True),
        ("?", "/", False),
        ("[ab]", "a", False),
    ],
)
def test_a_pattern_names_whole_paths_and_a_star_stays_in_its_folder(pattern: str, path: str, fits: bool) -> None:
    assert matches(path, pattern) is fits


def test_the_plan_is_another_one_when_anything_that_is_shown_changes() -> None:
    plans = {plan_of(SHOWN)}
    for other in (
        replace(PLAIN, path="src/App.py"),
        replace(PLAIN, agent=Entry(kind=Kind.FILE, size=1, digest="b")),
        replace(PLAIN, agent=Entry(kind=Kind.FILE, size=1, digest="a", executable=True)),
        replace(PLAIN, agent=Entry(kind=Kind.LINK, size=1, digest="a", target="x")),
        replace(PLAIN, person=None, act=Act.ADDED),
        replace(PLAIN, later=("it is new",)),
        replace(PLAIN, conflict="too"),
        replace(PLAIN, refused="no"),
    ):
        plans.add(plan_of(Changes(items=(LATER, other, REFUSED, CONFLICT))))
    assert len(plans) == 9


def test_a_name_that_is_not_utf_8_has_a_plan_of_its_own() -> None:
    assert plan_of(Changes(items=(change("\udcff"),))) != plan_of(Changes(items=(change("\udcfe"),)))


def test_the_plan_of_commits_follows_every_tip() -> None:
    one = Branch(ref="refs/heads/main", old="1", new="2", forward=True)
    assert len({plan_of_commits([]), plan_of_commits([one]), plan_of_commits([replace(one, new="3")])}) == 3


def test_what_is_not_as_it_was_shown_is_named_and_the_rest_stands() -> None:
    other = replace(PLAIN, agent=Entry(kind=Kind.FILE, size=1, digest="b"))
    assert changed_since([PLAIN, LATER], {PLAIN.path: other, LATER.path: LATER}, {}) == ((LATER,), ("src/app.py",))
    assert changed_since([PLAIN], {}, {}) == ((), ("src/app.py",))


def test_what_the_person_changed_since_does_not_stop_the_rest() -> None:
    theirs = replace(PLAIN, person=Entry(kind=Kind.FILE, size=1, digest="theirs"), conflict="it was changed")
    assert changed_since([PLAIN], {PLAIN.path: theirs}, {}) == ((PLAIN,), ())


def test_what_would_run_later_for_a_reason_that_was_not_shown_is_not_as_it_was() -> None:
    pointed = replace(PLAIN, later=("your git runs it",))
    assert changed_since([PLAIN], {PLAIN.path: pointed}, {}) == ((), ("src/app.py",))


def test_the_same_decision_once_more_finds_what_has_landed() -> None:
    gone = change("old", Act.DELETED)
    assert changed_since([PLAIN, gone], {}, {"src/app.py": "a", "old": "-"}) == ((), ())
    assert changed_since([PLAIN], {}, {"src/app.py": "b"}) == ((), ("src/app.py",))


@given(st.lists(st.sampled_from(SHOWN.items), unique=True), st.sets(st.sampled_from([e.path for e in SHOWN.items])))
def test_every_change_is_either_taken_or_left_with_a_reason(items: list[Change], named: set[str]) -> None:
    shown = Changes(items=tuple(items))
    there = frozenset(named & {each.path for each in items})
    chosen = choose(shown, decide(yes_to=there))
    assert sorted([e.path for e in chosen.take] + [e.path for e in chosen.left]) == sorted(e.path for e in items)
    assert all(each.why for each in chosen.left)
    assert all(each.path in there for each in chosen.take if each.by_name_only)
