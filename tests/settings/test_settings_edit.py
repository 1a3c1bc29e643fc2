"""One setting changed in the file: nothing else in it is touched, and nothing wrong is ever written."""

import contextlib
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.base.settings import SettingsError, parse_source, setting_paths, settings_from
from daemon.base.settings_edit import with_setting, without_setting

FILE = """\
# mine

[vault]   # about the vault
auto_lock = "1h"  # not long

[network]
allow_private = [
  "127.0.0.1:1",  # the test
]

[approvals.rules.ship-update]
decision = "deny"   # frozen
"""


@pytest.mark.parametrize(
    ("name", "typed", "line"),
    [
        ("vault.auto_lock", "2h", 'auto_lock = "2h"  # not long'),
        ("vault.auto_lock", "60", "auto_lock = 60  # not long"),
        ("network.allow_private", "a.b:1, c.d:2", 'allow_private = ["a.b:1", "c.d:2"]'),
        ("workspace.auto_yes", "scripts/*.sh", 'auto_yes = ["scripts/*.sh"]'),
        ("sandbox.docker_socket", "123", 'docker_socket = "123"'),
        ("approvals.rules.ship-update.decision", "ask", 'decision = "ask"   # frozen'),
    ],
)
def test_a_value_is_taken_as_people_type_it_and_the_rest_stays(name: str, typed: str, line: str) -> None:
    changed = with_setting(FILE, name, typed, file="config.toml")
    assert line in changed.splitlines()
    for comment in ("# mine", "[vault]   # about the vault"):
        assert comment in changed.splitlines()
    if "network" not in name:
        assert '  "127.0.0.1:1",  # the test' in changed


def test_a_rule_is_set_in_one_go_and_an_allow_needs_its_reason() -> None:
    rule = '{ decision = "allow", reason = "the pipeline" }'
    changed = with_setting(FILE, "approvals.rules.other-one", rule, file="config.toml")
    assert tomllib.loads(changed)["approvals"]["rules"]["other-one"] == {
        "decision": "allow",
        "reason": "the pipeline",
    }
    with pytest.raises(SettingsError, match="an allow needs a reason"):
        with_setting(FILE, "approvals.rules.ship-update.decision", "allow", file="config.toml")


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("audit.checkpoint_evry", "5", "Did you mean audit.checkpoint_every?"),
        ("vault.auto_lock", "soon", "'soon' is not a duration"),
        ("audit.checkpoint_every", "0", "greater than or equal to 1"),
        ("network.allow_private", "nowhere", "is not host:port"),
        ("vault..auto_lock", "1h", "no name of a setting"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(name: str, typed: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        with_setting(FILE, name, typed, file="config.toml")
    assert words in str(caught.value)


def test_a_file_that_is_wrong_already_is_left_alone() -> None:
    with pytest.raises(SettingsError, match=r"config\.toml:1: This is not valid TOML"):
        with_setting("[vault\n", "vault.auto_lock", "1h", file="config.toml")


def test_a_setting_is_taken_out_and_one_that_is_not_there_is_said() -> None:
    changed = without_setting(FILE, "vault.auto_lock", file="config.toml")
    assert "auto_lock" not in changed
    assert "# the test" in changed
    assert tomllib.loads(without_setting(FILE, "approvals.rules", file="config.toml")).get("approvals", {}) == {}
    without_rule = without_setting(FILE, "approvals.rules.ship-update", file="config.toml")
    assert "ship-update" not in without_rule
    with pytest.raises(SettingsError, match=r"vault\.auto_lock is not set in it"):
        without_setting(changed, "vault.auto_lock", file="config.toml")


_NAMES = [".".join(path) for path in setting_paths()] + ["approvals.rules.a-b", "approvals.rules.a-b.decision", "x.y"]
_TEXTS = ["", FILE, "vault = { auto_lock = 5 }\n", "vault.auto_lock = 5\r\n", "[[vault]]\n", '"va\\u0075lt".x = 1\n']


@settings(max_examples=60, deadline=None)
@given(
    text=st.sampled_from(_TEXTS),
    changes=st.lists(
        st.tuples(
            st.sampled_from(_NAMES),
            st.sampled_from(["1", "2h", "[]", '"a.b:1"', "x = 1", "'", "# c", "{decision='deny'}", ""]),
        ),
        max_size=4,
    ),
)
def test_whatever_is_set_the_file_stays_one_that_a_daemon_starts_with(
    text: str, changes: list[tuple[str, str]]
) -> None:
    for name, typed in changes:
        with contextlib.suppress(SettingsError):
            before = tomllib.loads(text) if text else {}
            text = with_setting(text, name, typed, file="config.toml")
            settings_from(parse_source(text, file="config.toml"), {})
            after = tomllib.loads(text)
            others = {key: value for key, value in before.items() if key != name.partition(".")[0]}
            assert {key: after[key] for key in others} == others
