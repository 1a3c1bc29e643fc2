"""What landing makes of the agent's commits, by which branch it is on and where the person's is."""

from dataclasses import replace

import pytest

from daemon.workspaces.commits.rules import Becomes, Becoming, becoming, free_name, own_name
from daemon.workspaces.values import Branch, Commit

MAIN = "refs/heads/main"
SESSION = "ses_019ab000-1111-7111-8111-0000abcd1234"
OURS = "refs/heads/aileron/codex-abcd1234"
COMMIT = Commit(id="2" * 40, subject="s", author="a", when="w")
TIP = Branch(ref=MAIN, old="1" * 40, new="2" * 40, forward=True, commits=(COMMIT,), more=2)


def decided(
    *,
    head: str = MAIN,
    branches: tuple[Branch, ...] = (TIP,),
    checked_out: str = MAIN,
    taken: frozenset[str] = frozenset(),
) -> Becoming:
    return becoming(
        head=head,
        branches=branches,
        checked_out=checked_out,
        at="1" * 40,
        is_free=lambda name: name not in taken | {MAIN},
        agent="codex",
        session=SESSION,
    )


def test_the_branch_that_is_checked_out_goes_forward() -> None:
    found = decided()
    assert (found.kind, found.branch) == (Becomes.FORWARD, MAIN)
    assert "forward by 3 commits" in found.words


@pytest.mark.parametrize(
    ("tip", "why"),
    [
        (replace(TIP, forward=False), "rewrote main"),
        (replace(TIP, old="9" * 40), "was elsewhere when the session began"),
        (replace(TIP, old=None), "was elsewhere when the session began"),
    ],
)
def test_a_branch_that_cannot_go_forward_is_left_and_one_of_ours_is_made(tip: Branch, why: str) -> None:
    found = decided(branches=(tip,))
    assert (found.kind, found.branch) == (Becomes.BRANCH, OURS)
    assert why in found.words
    assert "your checkout stays" in found.words


def test_what_the_person_has_already_is_not_made_a_branch() -> None:
    found = decided(branches=(replace(TIP, new="1" * 40, old="0" * 40),))
    assert (found.kind, found.landed) == (Becomes.NOTHING, True)


def test_another_branch_keeps_its_name_if_that_is_free() -> None:
    tip = replace(TIP, ref="refs/heads/fix", old=None)
    assert decided(head="refs/heads/fix", branches=(tip,)).branch == "refs/heads/fix"
    assert decided(head="refs/heads/fix", branches=(tip,), taken=frozenset({"refs/heads/fix"})).branch == OURS
    taken = frozenset({"refs/heads/fix", OURS, f"{OURS}-2"})
    assert decided(head="refs/heads/fix", branches=(tip,), taken=taken).branch == f"{OURS}-3"


def test_commits_on_no_branch_become_one_of_ours() -> None:
    found = decided(head="", branches=(replace(TIP, ref="HEAD", old=None),))
    assert (found.kind, found.branch) == (Becomes.BRANCH, OURS)


def test_a_person_without_a_branch_gets_one_and_nothing_is_moved() -> None:
    assert decided(checked_out="").kind is Becomes.BRANCH


def test_without_commits_on_the_branch_it_is_on_nothing_is_made() -> None:
    assert decided(branches=()).kind is Becomes.NOTHING
    assert decided(branches=(replace(TIP, ref="refs/heads/other"),)).kind is Becomes.NOTHING


def test_only_branches_keep_their_name() -> None:
    assert free_name("refs/tags/v1", is_free=lambda _: True, agent="pi", session=SESSION) == own_name("pi", SESSION)
