"""Whoever installed the tool has a connector to begin with, without a compiler and without a checkout."""

from pathlib import Path
from typing import Any

import pytest

from connectors import build
from daemon.cli.failure import ExitCode
from daemon.core.manifest_parser import parse_manifest


def test_it_is_the_connector_of_this_tree_for_the_hosts_that_were_named(cli: Any, tmp_path: Path) -> None:
    hosts = ("api.example.com:443", "127.0.0.1:8080")
    named = [word for host in hosts for word in ("--host", host)]
    ended = cli("connector", "init", str(tmp_path / "new"), *named, "--name", "github://acme/items")
    assert ended.code == 0
    assert f"aileron connector add {tmp_path / 'new'} --allow-unsigned" in ended.err
    built = build.build("wellbehaved", tmp_path / "built", hosts=hosts, fqn="github://acme/items")
    for file in ("connector.wasm", "manifest.toml"):
        assert (tmp_path / "new" / file).read_bytes() == (built / file).read_bytes(), (
            "build it anew: python -m connectors.build wellbehaved --fqn file://example/items"
        )
    manifest = parse_manifest((tmp_path / "new/manifest.toml").read_text(), file="manifest.toml")
    assert tuple(map(str, manifest.hosts)) == hosts


@pytest.mark.parametrize(
    ("host", "name"), [("api.example.com", "file://a/b"), ("https://api.example.com", "file://a/b"), ("a:1", "a/b")]
)
def test_what_is_no_host_or_no_name_is_a_usage_failure_and_writes_nothing(
    cli: Any, tmp_path: Path, host: str, name: str
) -> None:
    ended = cli("connector", "init", str(tmp_path / "new"), "--host", host, "--name", name)
    assert ended.code == ExitCode.USAGE
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_there_is_left_alone(cli: Any, tmp_path: Path) -> None:
    ended = cli("connector", "init", str(tmp_path), "--host", "a.example:1")
    assert ended.code == ExitCode.FAILED
    assert "nothing was changed" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_build_without_a_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("connectors.build.installed_version", _missing)
    monkeypatch.setattr("sys.argv", ["build", "wellbehaved", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"pip install ziglang.*aileron connector init"):
        build.main()


def _missing(name: str) -> str:
    raise build.PackageNotFoundError(name)
