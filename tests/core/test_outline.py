"""A value of which parts are still to come is written out so that a person reads all that is known."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.filling import Unfinished
from daemon.core.outline import written_out
from daemon.core.references import Reference

LATER = Reference("fetch", ("id",))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON.filter(lambda value: not isinstance(value, str)))
def test_what_is_known_reads_back_as_what_it_was(value: Any) -> None:
    (text,) = written_out(value)
    assert isinstance(text, str)
    assert json.loads(text) == value


def test_text_stands_as_it_is_and_not_in_quotes() -> None:
    assert written_out('a "quoted" word') == ('a "quoted" word',)
    assert written_out(Unfinished(("see ", LATER))) == ("see ", LATER)


def test_what_waits_stands_between_the_texts_at_its_place() -> None:
    value = {"to": "ann", "ref": LATER, "lines": [Unfinished(('say "', LATER, '"')), []], "none": {}}
    assert written_out(value) == (
        '{\n  "to": "ann",\n  "ref": ',
        LATER,
        ',\n  "lines": [\n    "say \\"',
        LATER,
        '\\"",\n    []\n  ],\n  "none": {}\n}',
    )


def test_a_value_that_waits_as_a_whole_is_only_the_reference() -> None:
    assert written_out(LATER) == (LATER,)
