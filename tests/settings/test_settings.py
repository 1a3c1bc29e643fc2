"""Settings: where they come from, and what is said of one that is not known."""

from pathlib import Path

import pytest

from daemon.lifecycle.home import Home
from daemon.settings import SettingsError, load_settings
from daemon.settings_reference import reference


def load(folder: Path, text: str = "", **environment: str) -> object:
    (folder / "config.toml").write_text(text)
    return load_settings(Home(folder), environment)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    assert load_settings(home).audit.checkpoint_every == 1000
    (tmp_path / "config.toml").write_text("[audit]\ncheckpoint_every = 50\n")
    assert load_settings(home).audit.checkpoint_every == 50
    monkeypatch.setenv("AILERON_AUDIT__CHECKPOINT_EVERY", "7")
    assert load_settings(home).audit.checkpoint_every == 7


def test_one_key_of_a_section_leaves_the_others_at_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[daemon]\nlog_level = "debug"\n')
    settings = load_settings(Home(tmp_path), {})
    assert (settings.daemon.log_level, settings.daemon.drain_seconds) == ("debug", 20.0)


def test_durations_and_lists_are_written_as_people_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text('[vault]\nauto_lock = "90m"\n')
    monkeypatch.setenv("AILERON_NETWORK__ALLOW_PRIVATE", "127.0.0.1:8080, localhost:1")
    settings = load_settings(Home(tmp_path))
    assert settings.vault.auto_lock == 5400
    assert settings.network.allow_private == ["127.0.0.1:8080", "localhost:1"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[audit]\n\ncheckpoint_evry = 5\n", 3, "Did you mean audit.checkpoint_every?"),
        ("[netwrk]\nallow_private = []\n", 1, "Did you mean network?"),
        ('[daemon]\nlog_level = "loud"\n', 2, "daemon.log_level"),
        ('[network]\nallow_private = ["nowhere"]\n', 2, "is not host:port"),
        ('[approvals.rules.ship]\ndecision = "allow"\n', 1, "an allow needs a reason"),
        ('[approvals.rules.ship]\ndecision = "deny"\nreson = "x"\n', 3, "Did you mean approvals.rules.ship.reason?"),
    ],
)
def test_a_wrong_line_is_named_with_what_would_be_right(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert f"config.toml:{line}: " in str(caught.value)
    assert words in str(caught.value)


def test_a_file_that_is_not_toml_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="It is not TOML"):
        load(tmp_path, "[audit\n")


def test_a_variable_that_is_no_setting_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Did you mean AILERON_AUDIT__CHECKPOINT_EVERY"):
        load(tmp_path, "", AILERON_AUDIT__CHECKPOINT_EVRY="5")


def test_the_documentation_is_what_the_model_says() -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "configuration.md"
    assert page.read_text() == reference(), "run: python -m daemon.settings_reference > docs/configuration.md"
