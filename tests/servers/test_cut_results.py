"""A result that is too large is cut; what was cut off can be read by its session, in bounded memory."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.failures import Failure
from daemon.tools.servers import rests as rests_module
from daemon.tools.servers.rests import Rests
from daemon.tools.servers.results import cut


def block(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def read_all(rests: Rests, session: str, handle: str, size: int) -> str:
    found, offset = "", 0
    while offset is not None:
        piece = rests.read(session, handle, offset=offset, size=size)
        found, offset = found + piece.text, piece.next_offset  # type: ignore[assignment]
    return found


def test_a_result_that_fits_is_not_touched() -> None:
    assert cut([block("x" * 100)], {"a": 1}, limit=107) is None


def test_a_text_is_cut_where_the_limit_is_and_nothing_is_lost() -> None:
    given_cut = cut([block("a" * 60), block("b" * 60), block("c")], None, limit=100)
    assert given_cut is not None
    assert [each["text"] for each in given_cut.content] == ["a" * 60, "b" * 40]
    assert given_cut.rest == "b" * 20 + "\nc"


def test_what_is_no_text_is_kept_whole_or_goes_into_the_rest_whole() -> None:
    image = {"type": "image", "data": "A" * 500, "mimeType": "image/png"}
    given_cut = cut([block("a"), image, block("b")], {"s": 1}, limit=100)
    assert given_cut is not None
    assert (given_cut.content, given_cut.structured) == ((block("a"),), None)
    assert '"data":"AAA' in given_cut.rest
    assert given_cut.rest.endswith('b\n{"s":1}')


@given(st.lists(st.text(max_size=50), max_size=6), st.integers(1, 80))
def test_what_is_given_and_what_is_left_make_up_the_whole(texts: list[str], limit: int) -> None:
    given_cut = cut([block(each) for each in texts], None, limit=limit)
    if given_cut is None:
        assert sum(map(len, texts)) <= limit
    else:
        shown = "".join(each["text"] for each in given_cut.content)
        assert len(shown) <= limit
        assert (shown + given_cut.rest).replace("\n", "") == "".join(texts).replace("\n", "")


def test_a_rest_is_read_in_pieces_by_its_own_session_only() -> None:
    rests = Rests(entropy=os.urandom)
    handle = rests.keep("ses_1", "abcdefghij")
    assert handle is not None
    assert read_all(rests, "ses_1", handle, 3) == "abcdefghij"
    with pytest.raises(Failure, match="not one of this session"):
        rests.read("ses_2", handle, offset=0, size=3)
    rests.session_ended("ses_1")
    with pytest.raises(Failure, match="nothing to read on"):
        rests.read("ses_1", handle, offset=0, size=3)


def test_all_rests_together_stay_below_their_bounds_and_one_session_pushes_out_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rests_module, "MAX_SESSION", 100)
    monkeypatch.setattr(rests_module, "MAX_TOTAL", 150)
    rests = Rests(entropy=os.urandom)
    other = rests.keep("other", "o" * 40)
    first = rests.keep("greedy", "a" * 60)
    second = rests.keep("greedy", "b" * 60)
    assert None not in (other, first, second)
    assert read_all(rests, "other", str(other), 100) == "o" * 40
    assert read_all(rests, "greedy", str(second), 100) == "b" * 60
    with pytest.raises(Failure):
        rests.read("greedy", str(first), offset=0, size=1)
    assert rests.keep("greedy", "c" * 101) is None
    for number in range(20):
        rests.keep(f"ses_{number}", "x" * 50)
    assert sum(rests._held(session) for session in rests._kept) <= 150
