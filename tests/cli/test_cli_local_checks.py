"""The doctor sees from the outside what would keep the daemon from starting, or others from staying out."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon.base.home import Home
from daemon.cli.local_checks import Check, local_checks


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a prepared home."""
    made = Home(tmp_path / "home")
    made.prepare()
    made.vault_path.touch(0o600)
    return made


def failed(home: Home) -> list[Check]:
    return [item for item in local_checks(home) if item["status"] == "failed"]


def test_a_sound_home_has_no_failed_check(home: Home) -> None:
    assert failed(home) == []
    assert {"home", "settings", "private files", "disk space"} <= {item["name"] for item in local_checks(home)}


def test_a_home_that_is_not_there_yet_is_no_problem(tmp_path: Path) -> None:
    assert [item["status"] for item in local_checks(Home(tmp_path / "none")) if item["name"] == "home"] == ["ok"]


def test_a_home_that_others_may_enter_is_found(home: Home) -> None:
    home.path.chmod(0o755)
    assert [item["remedy"] for item in failed(home)] == [f"Run: chmod 700 {home.path}"]


def test_a_file_in_place_of_the_home_is_found(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    assert "home" in {item["name"] for item in failed(Home(tmp_path / "home"))}


def test_a_setting_that_is_not_known_is_found(home: Home) -> None:
    home.config_path.write_text("nonsense = 1\n")
    home.config_path.chmod(0o600)
    assert [item["name"] for item in failed(home)] == ["settings"]
    assert "nonsense" in failed(home)[0]["message"]


@pytest.mark.parametrize("name", ["vault_path", "database_path", "keyring_path", "servers_path"])
def test_a_secret_file_that_others_may_read_is_found(home: Home, name: str) -> None:
    path: Path = getattr(home, name)
    path.touch()
    path.chmod(0o640)
    assert [item["remedy"] for item in failed(home)] == [f"Run: chmod 600 {path}"]


def test_a_link_to_a_private_file_of_servers_is_no_problem(home: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yaml").touch(0o600)
    home.servers_path.symlink_to(tmp_path / "elsewhere.yaml")
    assert failed(home) == []


def test_a_key_that_others_may_read_is_found(home: Home) -> None:
    (home.ca_dir / "audit.key").touch()
    (home.ca_dir / "audit.key").chmod(0o644)
    assert "audit.key" in failed(home)[0]["message"]


def test_a_discovery_file_of_unknown_origin_is_found(home: Home) -> None:
    home.discovery_path.write_text("{}")
    home.discovery_path.chmod(0o666)
    assert {item["name"] for item in failed(home)} == {"private files", "discovery file"}


@pytest.mark.parametrize(("free", "status"), [(0, "failed"), (100 * 2**20, "warning"), (2**40, "ok")])
def test_a_full_disk_is_found(home: Home, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    assert [item["status"] for item in local_checks(home) if item["name"] == "disk space"] == [status]
