"""A change lands by itself only when nothing of it would run later."""

from daemon.workspaces.values import Act, Change, Entry, Kind


def test_a_change_that_runs_later_lands_by_name_only() -> None:
    plain = Change(path="a.txt", act=Act.ADDED, agent=Entry(kind=Kind.FILE), person=None)
    hook = Change(path=".envrc", act=Act.ADDED, agent=Entry(kind=Kind.FILE), person=None, later=("direnv runs it",))
    assert not plain.by_name_only
    assert hook.by_name_only
