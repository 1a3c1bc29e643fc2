"""What is shown of a change is true, bounded, and nothing in it is obeyed by a terminal."""

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workspaces.layered import Layered, opened

from daemon.core.visible import visible
from daemon.core.wire_paths import from_wire, to_wire
from daemon.workspaces.looking.differences import FileDifference, Limits, Mark, differences
from daemon.workspaces.looking.line_changes import Work, line_changes
from daemon.workspaces.looking.overview import Group, as_json, count, group_of, grouped, listing, summary
from daemon.workspaces.values import Changes

texts = st.lists(st.sampled_from("abcdef"), max_size=30)


@given(texts, texts, st.sampled_from([0, 50, 1_000_000]))
def test_the_old_text_with_its_ranges_replaced_is_the_new_one(old: list[str], new: list[str], steps: int) -> None:
    found = line_changes(old, new, Work(steps))
    made, place = [], 0
    for each in found.ranges:
        assert each.old_start >= place
        made += old[place : each.old_start] + new[each.new_start : each.new_end]
        place = each.old_end
    assert made + old[place:] == new


@given(texts, texts)
def test_with_enough_work_no_range_is_equal_on_both_sides_and_the_numbers_are_close_to_the_least(
    old: list[str], new: list[str]
) -> None:
    found = line_changes(old, new, Work())
    assert found.exact
    for each in found.ranges:
        assert old[each.old_start : each.old_end] != new[each.new_start : each.new_end]
    assert found.added >= sum((Counter(new) - Counter(old)).values())
    assert found.removed >= sum((Counter(old) - Counter(new)).values())
    assert found.added - found.removed == len(new) - len(old)


def test_two_large_texts_that_have_nothing_in_order_end_within_the_work_and_say_so() -> None:
    old = [f"{number % 1000}" for number in range(200_000)]
    new = [f"{number * 7919 % 1000}" for number in range(200_000)]
    work = Work(1_000_000)
    assert not line_changes(old, new, work).exact
    assert work.left >= 0


@pytest.fixture
def layered(tmp_path: Path) -> Layered:
    """Return an empty layer over an empty folder."""
    return Layered(tmp_path)


def shown(layered: Layered, limits: Limits | None = None) -> dict[str, FileDifference]:
    changes = layered.look()
    with opened(layered.person) as person:
        return {each.path: each for each in differences(layered.layer, person, changes.items, limits=limits)}


def text_of(difference: FileDifference) -> list[str]:
    return [line.text for line in difference.lines]


@settings(max_examples=40, deadline=None)
@given(old=st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=40), new=st.data())
def test_git_applies_what_is_shown(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: st.DataObject
) -> None:
    after = new.draw(st.lists(st.sampled_from(["a", "b", "c", "e"]), max_size=40))
    layered = Layered(tmp_path_factory.mktemp("shown"))
    before_text, after_text = ("".join(f"{line}\n" for line in lines) for lines in (old, after))
    layered.has("file", before_text)
    layered.wrote("file", after_text)
    if old == after:
        return
    (difference,) = shown(layered).values()
    lines = [line.text for line in difference.lines if line.mark is not Mark.HEAD]
    patch = "--- a/file\n+++ b/file\n" + "\n".join(lines) + "\n"
    subprocess.run(
        ["git", "apply", "--unsafe-paths", "-"],
        cwd=layered.person,
        input=patch.encode(),
        check=True,
        capture_output=True,
    )
    assert (layered.person / "file").read_text() == after_text
    assert difference.added == sum(line.mark is Mark.ADDED for line in difference.lines)
    assert difference.removed == sum(line.mark is Mark.REMOVED for line in difference.lines)


def test_a_change_in_the_middle_is_shown_with_three_lines_around_it(layered: Layered) -> None:
    lines = [f"line {number}\n" for number in range(100)]
    layered.has("file", "".join(lines))
    lines[50] = "other\n"
    layered.wrote("file", "".join(lines))
    assert text_of(shown(layered)["file"]) == [
        "modified file", "@@ -48,7 +48,7 @@", " line 47", " line 48", " line 49", "-line 50", "+other", " line 51",
        " line 52", " line 53",
    ]  # fmt: skip


def test_a_missing_line_end_is_shown(layered: Layered) -> None:
    layered.has("file", "a\n")
    layered.wrote("file", "a")
    assert text_of(shown(layered)["file"])[2:] == ["-a", "+a", "\\ no line end at the end of the file"]


def test_nothing_that_a_terminal_obeys_is_in_any_line(layered: Layered) -> None:
    nasty = "\x1b[2J\x1b]0;x\x07\u202e\r\x00"[:-1]
    layered.has("plain", "x\n")
    layered.wrote("plain", f"{nasty}\n" + "\x9b31m\n")
    layered.wrote(f"name{nasty}\nsecond line", nasty)
    (layered.upper / "link").symlink_to(f"to{nasty}")
    changes = layered.look()
    every = [line.text for each in shown(layered).values() for line in each.lines]
    every += [line.text for line in listing(changes)]
    every.append(json.dumps(as_json(changes)["changes"][0]["shown"]))
    for text in every:
        assert text == visible(text)
        assert "\n" not in text


def test_binary_files_are_said_to_be_so_and_a_link_is_shown_by_its_target(layered: Layered) -> None:
    layered.has("picture", b"\x89PNG\0\1")
    layered.wrote("picture", b"\x89PNG\0\2\3")
    (layered.upper / "link").symlink_to("picture")
    found = shown(layered)
    assert text_of(found["picture"])[-1] == "binary, 6 bytes before and 7 bytes now"
    assert "+picture" in text_of(found["link"])


def test_what_a_change_of_kind_or_of_the_execute_bit_is_stands_there(layered: Layered) -> None:
    layered.has("tool", "x")
    layered.wrote("tool", "x", mode=0o755)
    layered.has("folder/inner", "x")
    layered.wrote("folder", "x")
    found = shown(layered)
    assert "  was a file, is a file that may be executed" in text_of(found["tool"])
    assert "  was a folder, is a file" in text_of(found["folder"])


def test_lines_files_and_everything_together_are_bounded_and_what_is_left_out_is_counted(layered: Layered) -> None:
    layered.wrote("long", "x" * 10_000)
    layered.wrote("many", "x\n" * 10_000)
    layered.wrote("zlarge", "x\n" * 100_000)
    found = shown(layered, Limits(file_bytes=100_000, lines=10, line_length=100))
    assert text_of(found["long"])[-2] == "+" + "x" * 100 + " … (9,900 more characters)"
    assert text_of(found["many"])[-1] == "… 9,991 more lines"
    assert found["many"].added == 10_000
    assert "larger than" in text_of(found["zlarge"])[-1]
    assert not found["zlarge"].exact
    few = shown(layered, Limits(total_bytes=25_000))
    assert [each.exact for each in few.values()] == [True, False, False]


def test_what_changed_after_it_was_looked_at_is_not_shown_as_if_it_was_that(layered: Layered) -> None:
    layered.wrote("file", "harmless")
    changes = layered.look()
    layered.wrote("file", "terrible")
    with opened(layered.person) as person:
        (difference,) = differences(layered.layer, person, changes.items)
    assert "changed since it was looked at" in difference.lines[-1].text
    assert not any("terrible" in line.text for line in difference.lines)


def test_a_folder_that_became_a_link_after_the_look_is_not_followed(layered: Layered, tmp_path: Path) -> None:
    layered.wrote("sub/file", "same")
    changes = layered.look()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("same")
    (layered.upper / "sub").rename(layered.upper / "was")
    (layered.upper / "sub").symlink_to(tmp_path / "secret")
    with opened(layered.person) as person:
        (difference,) = differences(layered.layer, person, changes.items)
    assert not difference.exact


def mixed(layered: Layered) -> Changes:
    layered.has("both.txt", "x")
    layered.begun_before()
    layered.wrote("a.txt", "1\n2\n")
    layered.wrote("both.txt", "y")
    layered.wrote(".vscode/tasks.json", "{}")
    layered.wrote("sub/.git/config", "x")
    (layered.upper / "link").symlink_to("a.txt")
    return layered.look()


def test_what_runs_later_comes_first_with_its_reason_then_conflicts_refused_links_and_the_rest(
    layered: Layered,
) -> None:
    changes = mixed(layered)
    assert list(grouped(changes.items)) == [Group.LATER, Group.CONFLICT, Group.REFUSED, Group.LINK, Group.REST]
    text = [line.text for line in listing(changes)]
    assert text[:3] == [
        "Runs later, so each lands only when you name it:",
        "  A .vscode/tasks.json",
        "      VS Code obeys it when you open this folder",
    ]
    assert "  A link -> a.txt" in text


def test_a_refused_change_is_never_in_a_group_that_lands(layered: Layered) -> None:
    layered.wrote(".vscode/x", "x", mode=0o4755)
    (change,) = layered.look().items
    assert change.later
    assert group_of(change) is Group.REFUSED


def test_the_summary_counts_files_and_lines_and_says_when_it_is_not_exact(layered: Layered) -> None:
    layered.has("old", "1\n2\n3\n")
    layered.wrote("old", "1\n3\n4\n5\n")
    (layered.upper / "empty").mkdir()
    changes = layered.look()
    with opened(layered.person) as person:
        found = differences(layered.layer, person, changes.items, lines=False)
    assert not any(each.lines for each in found)
    assert summary(count(changes.items, found)) == "1 file changed, +2 -1"
    inexact = [FileDifference(path="x", added=1000, exact=False)]
    assert summary(count(changes.items, inexact)) == "1 file changed, about +1,000 -0"
    unread = [FileDifference(path="x", exact=False, compared=False)]
    assert summary(count(changes.items, unread)) == "1 file changed, +0 -0, 1 not compared"


def test_the_json_form_holds_everything_and_survives_any_name(layered: Layered) -> None:
    changes = mixed(layered)
    layered.wrote("\udcff", "x")
    changes = layered.look()
    with opened(layered.person) as person:
        found = as_json(changes, differences(layered.layer, person, changes.items))
    text = json.dumps(found, ensure_ascii=False).encode()
    read = json.loads(text)
    assert read["files"] == len(changes.items) - 1, "the folder that git would take for its own is no file"
    assert {from_wire(each["path"]) for each in read["changes"]} == {change.path for change in changes.items}
    later = read["changes"][0]
    assert later["group"] == "runs_later"
    assert later["lines"][0] == {"mark": "head", "text": "added .vscode/tasks.json"}


@given(st.binary(min_size=1, max_size=40) | st.just(b"bytes:%41"))
def test_every_path_comes_back_from_the_wire_as_it_was(raw: bytes) -> None:
    path = raw.decode("utf-8", "surrogateescape")
    wired = to_wire(path)
    wired.encode("utf-8")
    assert from_wire(wired) == path
