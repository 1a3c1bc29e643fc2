"""A path in git's own folder, or in what is taken for it, never lands: by any spelling, at any depth."""

from hypothesis import given
from hypothesis import strategies as st
from workspaces.landing_room import added

from daemon.workspaces.landing.rules import STAGING, never_lands

PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="/\0\\:.~"), min_size=1, max_size=8)
UNSEEN = st.sampled_from(["", "\u200c", "\u200d", "\ufeff", "\u202e", "\u2060"])
SPELLINGS = st.sampled_from([".git", "git~1", "git~2"])
ENDS = st.sampled_from(["", ".", " ", ". .", "::$INDEX_ALLOCATION", ":stream"])


@st.composite
def git_like(draw: st.DrawFn) -> str:
    """Return a name that some system takes for `.git`."""
    letters = [draw(st.sampled_from([each.lower(), each.upper()])) + draw(UNSEEN) for each in draw(SPELLINGS)]
    return draw(UNSEEN) + "".join(letters) + draw(ENDS)


@given(above=st.lists(PLAIN, max_size=3), name=git_like(), below=st.lists(PLAIN, max_size=3))
def test_no_spelling_of_gits_folder_lands_at_any_depth(above: list[str], name: str, below: list[str]) -> None:
    assert never_lands(added("/".join([*above, name, *below])))


@given(path=st.lists(st.text(max_size=6), max_size=5).map("/".join))
def test_whatever_lands_names_one_place_below_the_folder(path: str) -> None:
    if never_lands(added(path)):
        return
    names = path.split("/")
    assert not {"", ".", ".."} & set(names)
    assert "\0" not in path
    assert not any(name.startswith(STAGING) for name in names)
