"""Compiled programs are only loaded when they are surely ours and intact; anything else is compiled again."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.connectors.wasm import ConnectorRejected
from daemon.connectors.wasm.cache import CacheUnsafe, CompiledCache
from daemon.connectors.wasm.engine import engine_tag


async def _compiled(harness: Any, wasm: bytes) -> tuple[Path, Path]:
    await harness.runtime.load(wasm)
    [program] = harness.cache_dir.glob("*.cwasm")
    [digest] = harness.cache_dir.glob("*.sha256")
    return program, digest


async def _load_again(harness: Any, wasm: bytes, damage: Callable[[], object] = lambda: None) -> None:
    """Load in a runtime that knows nothing yet, after something happened to the files."""
    harness.runtime.close()
    damage()
    harness.runtime = harness.make()
    loaded = await harness.runtime.load(wasm)
    assert await harness.run(loaded, "echo", "x") == "x"


async def test_the_cache_is_private_and_named_by_content_version_settings_and_machine(
    harness: Any, wellbehaved_wasm: bytes
) -> None:
    program, digest = await _compiled(harness, wellbehaved_wasm)
    assert harness.cache_dir.stat().st_mode & 0o777 == 0o700
    assert program.stat().st_mode & 0o777 == 0o600
    assert digest.stat().st_mode & 0o777 == 0o600
    loaded = await harness.runtime.load(wellbehaved_wasm)
    assert program.name == f"{loaded.component_hash.removeprefix('sha256:')}-{engine_tag()}.cwasm"
    assert sorted(path.name for path in harness.cache_dir.iterdir()) == sorted([program.name, digest.name])


async def test_a_compiled_program_is_used_again(harness: Any, wellbehaved_wasm: bytes) -> None:
    program, _ = await _compiled(harness, wellbehaved_wasm)
    before = program.stat().st_ino
    await _load_again(harness, wellbehaved_wasm)
    assert program.stat().st_ino == before


def _truncate(program: Path, _digest: Path) -> None:
    os.truncate(program, program.stat().st_size // 2)


def _empty(program: Path, _digest: Path) -> None:
    os.truncate(program, 0)


def _flip(program: Path, _digest: Path) -> None:
    raw = bytearray(program.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    program.write_bytes(raw)


def _open_to_others(program: Path, _digest: Path) -> None:
    program.chmod(0o666)


def _link(program: Path, _digest: Path) -> None:
    elsewhere = program.parent.parent / "elsewhere.cwasm"
    program.rename(elsewhere)
    program.symlink_to(elsewhere)


def _link_digest(_program: Path, digest: Path) -> None:
    elsewhere = digest.parent.parent / "elsewhere.sha256"
    digest.rename(elsewhere)
    digest.symlink_to(elsewhere)


def _lose_digest(_program: Path, digest: Path) -> None:
    digest.unlink()


def _other_digest(_program: Path, digest: Path) -> None:
    digest.write_text("0" * 64)


def _lose_program(program: Path, _digest: Path) -> None:
    program.unlink()


@pytest.mark.parametrize(
    "damage",
    [_truncate, _empty, _flip, _open_to_others, _link, _link_digest, _lose_digest, _other_digest, _lose_program],
)
async def test_a_damaged_or_doubtful_program_is_compiled_again(
    harness: Any, wellbehaved_wasm: bytes, damage: Callable[[Path, Path], None]
) -> None:
    program, digest = await _compiled(harness, wellbehaved_wasm)
    await _load_again(harness, wellbehaved_wasm, lambda: damage(program, digest))
    assert not program.is_symlink()
    assert program.stat().st_mode & 0o777 == 0o600
    assert digest.read_text() != "0" * 64


async def test_a_program_of_the_right_digest_that_the_engine_refuses_is_compiled_again(
    harness: Any, wellbehaved_wasm: bytes
) -> None:
    program, digest = await _compiled(harness, wellbehaved_wasm)

    def replace() -> None:
        program.write_bytes(b"not native code")
        digest.write_text(hashlib.sha256(b"not native code").hexdigest())

    await _load_again(harness, wellbehaved_wasm, replace)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_a_program_of_another_user_is_not_used(harness: Any, wellbehaved_wasm: bytes) -> None:
    program, _ = await _compiled(harness, wellbehaved_wasm)
    os.chown(program, 12345, -1)
    await _load_again(harness, wellbehaved_wasm)
    assert program.stat().st_uid == 0


async def test_a_cache_folder_that_others_can_write_is_refused(harness: Any, wellbehaved_wasm: bytes) -> None:
    harness.cache_dir.mkdir(mode=0o700)
    harness.cache_dir.chmod(0o770)
    with pytest.raises(ConnectorRejected, match="chmod 700"):
        await harness.runtime.load(wellbehaved_wasm)
    harness.cache_dir.chmod(0o700)
    await harness.runtime.load(wellbehaved_wasm)


def test_a_cache_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(CacheUnsafe, match="not a folder"):
        CompiledCache(directory=tmp_path / "link", tag="t").open()


def test_what_older_versions_left_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    mine = f".draft-{os.getpid()}-abc-0.wasm"
    for name in ("abc-old.cwasm", "abc-old.sha256", "abc-new.cwasm", ".draft-4194305-abc-0.wasm", ".draft-x", mine):
        (folder / name).touch()
    CompiledCache(directory=folder, tag="new").open()
    assert {path.name for path in folder.iterdir()} == {"abc-new.cwasm", mine}
