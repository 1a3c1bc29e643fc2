from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.ids import IdPrefix, is_id, make_id

prefixes = st.sampled_from(IdPrefix)
times = st.integers(min_value=0, max_value=2**48 - 1)
entropy = st.binary(min_size=10, max_size=10)


@given(prefixes, times, entropy)
def test_an_identifier_is_a_prefix_and_a_uuid_of_version_7(prefix: IdPrefix, unix_ms: int, random: bytes) -> None:
    made = make_id(prefix, unix_ms=unix_ms, entropy=random)
    assert is_id(made, prefix)
    uuid = UUID(made.removeprefix(f"{prefix.value}_"))
    assert uuid.version == 7
    assert uuid.int >> 80 == unix_ms


@given(times, times, entropy, entropy)
def test_identifiers_sort_by_the_time_they_were_made(one: int, other: int, first: bytes, second: bytes) -> None:
    early, late = sorted((one, other))
    if early < late:
        made = [make_id(IdPrefix.AUDIT, unix_ms=ms, entropy=random) for ms, random in ((early, first), (late, second))]
        assert made == sorted(made)


@given(times, entropy)
def test_an_identifier_of_one_kind_is_not_one_of_another(unix_ms: int, random: bytes) -> None:
    made = make_id(IdPrefix.SESSION, unix_ms=unix_ms, entropy=random)
    assert not is_id(made, IdPrefix.APPROVAL)


@pytest.mark.parametrize("length", [0, 9, 11])
def test_the_wrong_amount_of_randomness_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="exactly ten"):
        make_id(IdPrefix.AUDIT, unix_ms=0, entropy=b"0" * length)


@given(st.text())
def test_other_texts_are_not_identifiers(text: str) -> None:
    assert not is_id(text, IdPrefix.AUDIT)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: made + "0",
        lambda made: " " + made,
        str.upper,
        lambda made: made + "\n",
    ],
)
def test_an_identifier_ends_where_it_ends(spoil: Callable[[str], str]) -> None:
    made = make_id(IdPrefix.AUDIT, unix_ms=1, entropy=b"0123456789")
    assert is_id(made, IdPrefix.AUDIT)
    assert not is_id(spoil(made), IdPrefix.AUDIT)
