from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.semver import Version, VersionError

ORDERED = [
    "0.0.4", "0.9.0", "1.0.0-0", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
    "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.0+a", "1.0.0+b", "1.0.1", "1.2.0",
    "1.10.0", "2.0.0--", "2.0.0-0a", "2.0.0", "10.0.0",
]  # fmt: skip

numbers = st.integers(min_value=0, max_value=10**12)
words = st.from_regex(r"\A[0-9]*[A-Za-z-][0-9A-Za-z-]*\Z", fullmatch=True).filter(lambda word: len(word) < 10)
versions = st.builds(
    Version,
    major=numbers,
    minor=numbers,
    patch=numbers,
    prerelease=st.lists(words | numbers.map(str), max_size=3).map(tuple),
    build=st.lists(words, max_size=2).map(tuple),
)


def test_versions_order_as_the_specification_says() -> None:
    parsed = [Version.parse(text) for text in ORDERED]
    parsed.reverse()
    assert sorted(parsed) == parsed[::-1]


@given(versions)
def test_a_version_reads_back_as_it_was_written(version: Version) -> None:
    assert Version.parse(str(version)) == version


@given(versions, versions)
def test_the_order_is_total(one: Version, other: Version) -> None:
    assert (one < other) + (one == other) + (one > other) == 1


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.02.3", "1.2.03", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+",
        "^1.2.3", "~1.2.3", ">=1.2.3", "1.x.0", "1.2.*", "latest", " 1.2.3", "1.2.3\n", "1.2.3-é", "-1.2.3",
        "\u0661.\u0662.\u0663",
        "9" * 5000 + ".0.0",
    ],
)  # fmt: skip
def test_what_is_not_an_exact_version_is_refused(text: str) -> None:
    with pytest.raises(VersionError, match=r"like 1\.2\.0"):
        Version.parse(text)


@given(st.text())
def test_any_text_is_a_version_or_a_version_error(text: str) -> None:
    with suppress(VersionError):
        assert str(Version.parse(text)) == text


def test_a_version_is_not_compared_with_something_else() -> None:
    with pytest.raises(TypeError):
        Version.parse("1.0.0") < "1.0.0"  # noqa: B015
