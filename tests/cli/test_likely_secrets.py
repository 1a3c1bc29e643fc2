"""What is taken for a secret: by its name, or by what it looks like."""

import pytest

from daemon.core.likely_secrets import looks_secret


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_TOKEN", "abc"),
        ("apiKey", "abc"),
        ("X-API-Key", "abc"),
        ("Authorization", "Bearer abc"),
        ("DB_PASSWORD", "abc"),
        ("DATABASE", "postgres://me:hunter2@db/x"),
        ("ANYTHING", "ghp_0123456789abcdefghij"),
        ("ANYTHING", "9f8Ab3kL0qZx7Vt2Rw5Ym1Nc"),
    ],
)
def test_what_is_probably_a_secret(name: str, value: str) -> None:
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "debug"),
        ("KEY_PATH", "/home/me/key"),
        ("TOKEN", ""),
        ("TOKEN", "vault://secrets/token"),
        ("USE_TOKEN", "true"),
        ("HOME", "/home/somebody/projects/with-a-long-name"),
        ("MONKEY", "banana"),
        ("URL", "https://api.example.com/v1"),
        ("PACKAGE", "@modelcontextprotocol/server-filesystem"),
    ],
)
def test_what_is_none(name: str, value: str) -> None:
    assert not looks_secret(name, value)
