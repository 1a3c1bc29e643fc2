"""Whatever the person has and whatever the agent did: what lands is the agent's tree; what is undone, the person's."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workspaces.landing_room import At, LandingRoom, Tree, tree_of

from daemon.workspaces.landed import LandingError
from daemon.workspaces.values import Act, Change, Entry, Kind, Way

NAMES = st.sampled_from(["a", "b", "C", "d.txt", "\udcff", "e f"])
LEAVES = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=4), st.booleans()),
    st.tuples(st.just("link"), st.sampled_from(["nowhere", "elsewhere/other"])),
    st.just(("folder",)),
)
TREES = st.recursive(LEAVES, lambda below: st.dictionaries(NAMES, below, max_size=4), max_leaves=12)
FOLDERS = st.dictionaries(NAMES, TREES, max_size=4)


def _build(place: Path, tree: object) -> None:
    if isinstance(tree, dict):
        place.mkdir(exist_ok=True)
        for name, below in tree.items():
            _build(place / name, below)
        return
    assert isinstance(tree, tuple)
    if tree[0] == "file":
        place.write_bytes(tree[1])
        place.chmod(0o755 if tree[2] else 0o644)
    elif tree[0] == "link":
        place.symlink_to(tree[1])
    else:
        place.mkdir()


def _entry(place: Path) -> Entry | None:
    if not os.path.lexists(place):
        return None
    if place.is_symlink():
        target = str(place.readlink())
        return Entry(
            kind=Kind.LINK, size=len(target), digest=hashlib.sha256(os.fsencode(target)).hexdigest(), target=target
        )
    if place.is_dir():
        return Entry(kind=Kind.FOLDER)
    content = place.read_bytes()
    executable = bool(place.stat().st_mode & 0o111)
    return Entry(kind=Kind.FILE, size=len(content), executable=executable, digest=hashlib.sha256(content).hexdigest())


def _differences(agent: Path, person: Path) -> list[Change]:
    """Return every path that differs, the plainest way."""
    paths = sorted({*tree_of(agent), *tree_of(person)})
    changes = []
    for path in paths:
        new, old = _entry(agent / path), _entry(person / path)
        if new != old:
            act = Act.ADDED if old is None else Act.DELETED if new is None else Act.MODIFIED
            changes.append(Change(path=path, act=act, agent=new, person=old))
    return changes


def _plain(tree: Tree) -> dict[str, tuple[object, ...]]:
    """Return a tree without the modes, but for the execute bit of files."""
    return {
        path: (kind, what[-1], bool(what[0] & 0o111)) if kind == "file" else (kind, *([] if kind == "folder" else what))
        for path, (kind, *what) in tree.items()
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=FOLDERS, after=FOLDERS, data=st.data())
def test_any_tree_becomes_any_other_or_stays_what_it_is(before: object, after: object, data: st.DataObject) -> None:
    folder = Path(tempfile.mkdtemp(prefix="landing-"))
    try:
        room = LandingRoom(folder, way=Way.COPY)
        _build(room.person, before)
        _build(room.upper, after)
        changes = _differences(room.upper, room.person)
        shuffled = data.draw(st.permutations(changes))
        untouched = room.tree()

        def fail() -> None:
            raise OSError(28, "No space left on device")

        if changes:
            point = data.draw(st.sampled_from(["landing.after_step", "landing.done", "landing.staged"]))
            failing = At(point, fail, count=data.draw(st.integers(1, 6)))
            try:
                room.land(changes=shuffled, faults=failing)
            except LandingError:
                assert room.tree() == untouched
        if room.tree() == untouched:
            landed = room.land(changes=shuffled)
            assert not landed.conflicts
            assert not landed.refused
        assert _plain(room.tree()) == _plain(tree_of(room.upper))
        assert not room.leftovers()
    finally:
        shutil.rmtree(folder)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=FOLDERS, after=FOLDERS, data=st.data())
def test_of_any_choice_each_path_lands_as_shown_or_stays_as_it_was(
    before: object, after: object, data: st.DataObject
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="landing-"))
    try:
        room = LandingRoom(folder, way=Way.COPY)
        _build(room.person, before)
        _build(room.upper, after)
        changes = _differences(room.upper, room.person)
        chosen = [change for change in changes if data.draw(st.booleans())]
        landed = room.land(changes=chosen)
        paths = {each.path for each in landed.paths}
        assert paths | {each.path for each in landed.conflicts} == {change.path for change in chosen}
        for change in changes:
            if change.path in paths:
                assert _entry(room.person / change.path) == change.agent or _is_above(change.path, paths)
            elif not _is_above(change.path, paths) and not _is_below(change.path, paths):
                assert _entry(room.person / change.path) == change.person
        assert not room.leftovers()
    finally:
        shutil.rmtree(folder)


def _is_above(path: str, others: set[str]) -> bool:
    return any(each.startswith(f"{path}/") for each in others)


def _is_below(path: str, others: set[str]) -> bool:
    return any(path.startswith(f"{each}/") for each in others)
