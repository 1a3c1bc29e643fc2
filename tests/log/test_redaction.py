"""Redaction: a secret the daemon was told of, or one that looks like one, is in no line it writes about itself."""

import base64
import json
import logging
import urllib.parse
import warnings
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from daemon.base.logging import start_logging
from daemon.base.redaction import REDACTED, Redactor, redact_text

SECRET = "sentinel/7f3a+9c51e2d8"
FORMS = {
    "plain": SECRET,
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 of a pair": base64.b64encode(f"user:{SECRET}".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "hex": SECRET.encode().hex(),
    "HEX": SECRET.encode().hex().upper(),
    "URL": urllib.parse.quote(SECRET, safe=""),
}

secrets = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=8, max_size=40).filter(
    # What the redaction itself writes is no secret.
    lambda text: text.strip() and not any(part in f"{REDACTED} bytes" for part in (text, text.strip()))
)
writings = st.sampled_from(
    [
        lambda text: text,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
        lambda text: text.encode().hex(),
        lambda text: urllib.parse.quote(text, safe=""),
    ]
)


def nested(leaf: str) -> st.SearchStrategy[Any]:
    noise = st.text(max_size=5)
    return st.recursive(
        st.just(leaf) | st.builds(lambda a, b: f"{a}{leaf}{b}", noise, noise) | st.just(ValueError(leaf)),
        lambda inner: (
            st.lists(inner | noise, min_size=1, max_size=3)
            | st.dictionaries(noise | st.just(leaf), inner, min_size=1, max_size=3)
            | st.tuples(inner, st.integers())
        ),
        max_leaves=5,
    )


def written(value: Any) -> list[str]:
    """Return every text of a value, names included."""
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in written(part)]
    if isinstance(value, list):
        return [text for item in value for text in written(item)]
    return [str(value)]


@given(st.data())
def test_a_registered_secret_is_gone_wherever_and_however_it_is_written(data: st.DataObject) -> None:
    secret = data.draw(secrets)
    form = data.draw(writings)(secret)
    redactor = Redactor()
    redactor.register(secret)
    clean = redactor.value(data.draw(nested(form)))
    json.dumps(clean)
    assert not [text for text in written(clean) if form in text]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_anything_can_be_redacted_and_becomes_json(value: Any) -> None:
    redactor = Redactor()
    redactor.register(SECRET)
    json.dumps(redactor.value(value))


def test_what_goes_round_in_a_circle_comes_to_an_end() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle
    assert REDACTED in json.dumps(Redactor().value(circle))


def test_an_object_that_cannot_be_written_does_not_cost_the_line() -> None:
    class Silent:
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert Redactor().value({"object": Silent()}) == {"object": "<Silent>"}


def test_a_number_that_is_a_secret_is_gone() -> None:
    redactor = Redactor()
    redactor.register("48151623")
    assert redactor.value({"pin": 48151623, "count": 4}) == {"pin": REDACTED, "count": 4}


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        "{'authorization': 'Basic dXNlcjpwYXNzd29yZA=='}",
        "authorization=token-abcdefgh",
        "x-api-key: abcdefgh12345678",
        "token ghp_abcdefghijklmnop1234",
        "ailt_abcdef.ghijkl.mnopqr",
        "https://user:hunter2hunter@example.com/",
        "https://example.com/?access_token=abcdefgh&x=1",
        'body was {"client_secret": "abcdefgh"}',
        "password=hunter2",
        "sk-abcdefghijklmnop1234",
        "-----BEGIN PRIVATE KEY-----\nabcdefgh\n-----END PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\nabcdefgh and then nothing",
    ],
)
def test_what_looks_like_a_credential_is_gone(text: str) -> None:
    clean = redact_text(text)
    assert REDACTED in clean
    for part in ("abcdefgh", "dXNlcjpwYXNzd29yZA", "hunter2", "ghijkl", "mnopqr"):
        assert part not in clean


@pytest.mark.parametrize(
    "text",
    [
        "a token narrowed by its bearer",
        "basic authentication is not offered",
        "This API needs a session token: there is no bearer token",
        "the secret sentence",
        "http://127.0.0.1:8080/approvals/apr_019a",
    ],
)
def test_words_about_credentials_stay(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize("name", ["password", "accessToken", "X-Api-Key", "Set-Cookie", "secrets", "tokens", "passwd"])
def test_what_has_a_telling_name_is_gone(name: str) -> None:
    assert Redactor().value({name: ["anything"]}) == {name: REDACTED}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_way_into_the_log_passes_the_redaction(tmp_path: Path, form: str) -> None:
    redactor = Redactor()
    path = tmp_path / "daemon.jsonl"
    with start_logging(path, level="debug", redactor=redactor):
        # Told of it while the log is already open, as happens when a vault is unlocked.
        redactor.register(SECRET)
        ours, foreign = structlog.get_logger("daemon"), logging.getLogger("uvicorn.error")
        ours.info("an event", detail=form)
        ours.bind(bound=form).debug("bound")
        ours.info(f"in the words: {form}")
        ours.info("as an argument: %s", form)
        ours.info("as a name", **{f"x{form}": 1})
        foreign.warning("as an argument: %s", form)
        foreign.error("with a mapping", extra={"detail": form})
        try:
            raise ValueError(form)
        except ValueError as problem:
            ours.exception("failed")
            foreign.exception("failed")
            ours.error("an exception as a value", problem=problem)
        warnings.simplefilter("always")  # not the error that it is in tests
        warnings.warn(form, stacklevel=1)
    text = path.read_text()
    assert len(text.splitlines()) == 11
    assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
    assert form not in text
    assert text.count(REDACTED) >= 10
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_log_turns_over_and_stays_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.base.logging._BYTES", 2000)
    with start_logging(tmp_path / "daemon.jsonl", level="info", redactor=Redactor()):
        for number in range(200):
            structlog.get_logger("daemon").info("an event", number=number)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["daemon.jsonl", *(f"daemon.jsonl.{n}" for n in range(1, 6))]
    assert all(file.stat().st_mode & 0o777 == 0o600 and file.stat().st_size <= 2000 for file in files)


def test_after_the_log_is_closed_logging_is_as_it_was(tmp_path: Path) -> None:
    before = logging.getLogger().handlers
    with start_logging(tmp_path / "daemon.jsonl", level="info", redactor=Redactor()):
        assert logging.getLogger().handlers is not before
    assert logging.getLogger().handlers is before
