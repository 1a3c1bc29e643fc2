"""Settings: where they come from, and what is said of one that is not known."""

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.base.home import Home
from daemon.base.settings import OTHER_VARIABLES, SettingsError, load_settings, setting_paths
from daemon.base.settings_reference import reference


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
        ('[approvals.rules]\nship = "deny"\n', 2, 'write it like { decision = "deny"'),
        ('[approvals.rules."hub__read_*"]\ndecision = "deny"\n', 1, "only, as hub__*"),
        ('[approvals.rules.ship]\ndecision = "deny"\nreson = "x"\n', 3, "Did you mean approvals.rules.ship.reason?"),
    ],
)
def test_a_wrong_line_is_named_with_what_would_be_right(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert f"config.toml:{line}: " in str(caught.value)
    assert words in str(caught.value)


def test_a_file_that_is_not_toml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"config\.toml:2: This is not valid TOML"):
        load(tmp_path, "# mine\n[audit\n")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AILERON_AUDIT__CHECKPOINT_EVRY", "Did you mean AILERON_AUDIT__CHECKPOINT_EVERY"),
        ("AILERON_LOG_LEVEL", "Did you mean AILERON_DAEMON__LOG_LEVEL"),
        ("AILERON_audit__checkpoint_every", "is no setting"),
    ],
)
def test_a_variable_that_is_no_setting_names_the_nearest(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        load(tmp_path, "", **{name: "5"})
    assert f"{name} is no setting" in str(caught.value)


def test_a_variable_with_a_wrong_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"the variable AILERON_LIMITS__WASM_THREADS: limits\.wasm_threads does"):
        load(tmp_path, "[limits]\nwasm_threads = 5\n", AILERON_LIMITS__WASM_THREADS="none")


def test_only_the_given_environment_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AILERON_AUDIT__CHECKPOINT_EVERY", "7")
    assert load_settings(Home(tmp_path), {}).audit.checkpoint_every == 1000
    assert load_settings(Home(tmp_path), {"AILERON_AUDIT__CHECKPOINT_EVERY": "8"}).audit.checkpoint_every == 8


def test_variables_that_are_no_settings_are_left_alone(tmp_path: Path) -> None:
    load(tmp_path, "", **dict.fromkeys(OTHER_VARIABLES, "x"), PATH="/bin", aileron_nothing="x")


def test_rules_come_from_one_variable_as_json(tmp_path: Path) -> None:
    rules = '{"ship-update": {"decision": "allow", "reason": "the pipeline"}}'
    settings = load_settings(Home(tmp_path), {"AILERON_APPROVALS__RULES": rules})
    assert settings.approvals.rules["ship-update"].decision == "allow"
    for broken, words in [
        ("{", "the variable AILERON_APPROVALS__RULES: It is not JSON"),
        ('{"ship-update": {"decision": "allow"}}', "the variable AILERON_APPROVALS__RULES: .*an allow needs a reason"),
    ]:
        with pytest.raises(SettingsError, match=words):
            load_settings(Home(tmp_path), {"AILERON_APPROVALS__RULES": broken})


def test_a_rule_for_what_can_be_no_action_is_refused(tmp_path: Path) -> None:
    # Ignored, a "deny" with a slip in its name would be an "allow".
    with pytest.raises(SettingsError, match=r"config\.toml:2: .*not the name of an action"):
        load(tmp_path, '\n[approvals.rules.ship_update]\ndecision = "deny"\n')


def test_a_file_of_authorities_must_be_there_and_have_its_full_path(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    settings = load_settings(Home(tmp_path), {"AILERON_NETWORK__EXTRA_CA_FILE": str(tmp_path / "ca.pem")})
    assert settings.network.extra_ca_file == tmp_path / "ca.pem"
    for value, words in [("ca.pem", "not a full path"), (str(tmp_path / "none.pem"), "not a file that can be read")]:
        with pytest.raises(SettingsError, match=words):
            load(tmp_path, f'[network]\nextra_ca_file = "{value}"\n')


@given(st.text(max_size=200))
def test_whatever_the_file_holds_the_answer_is_settings_or_a_settings_error(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(SettingsError):
        path = Path(folder, "config.toml")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        assert load_settings(Home(Path(folder)), {})


@given(
    st.dictionaries(
        st.sampled_from([".".join(path) for path in setting_paths()]),
        st.sampled_from(["0", "-1", '"x"', "true", "[]", "{}", "[1]", "1.5", '"0"', "2020-01-01", "nan", '"5s"']),
    )
)
def test_whatever_a_setting_is_set_to_the_answer_is_settings_or_a_settings_error(wanted: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(SettingsError):
        Path(folder, "config.toml").write_text("".join(f"{name} = {value}\n" for name, value in wanted.items()))
        assert load_settings(Home(Path(folder)), {})


def test_the_documentation_is_what_the_model_says() -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "configuration.md"
    assert page.read_text() == reference(), "run: python -m daemon.base.settings_reference > docs/configuration.md"
