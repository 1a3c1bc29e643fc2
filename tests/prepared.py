"""What each new home would make anew, made once for a whole run: an empty vault, and compiled connectors.

The daemon finds both as files that an earlier one could have left, and checks them as it checks those. Making them is
tested where that is the point: tests/vault, tests/cli and tests/promises make vaults, tests/wasm and tests/connectors
compile.
"""

import hashlib
import os
from functools import cache
from pathlib import Path

from daemon.base.files import write_new
from daemon.vault.crypto import FLOOR
from daemon.vault.document import write_document
from daemon.vault.opened import make_vault

_LARGEST = 4 * 1024 * 1024
"""What is larger is compiled again: it is the runtime of a language, and few tests use it."""
_compiled: dict[str, dict[str, bytes]] = {}


def put_vault(home: Path, passphrase: str) -> None:
    """Put an empty vault into a home that has none; at the least cost of a guess that is accepted from a file."""
    write_new(home / "vault.json", _empty_vault(passphrase))


@cache
def _empty_vault(passphrase: str) -> bytes:
    return write_document(make_vault(passphrase, cost=FLOOR, entropy=os.urandom).sealed())


def put_compiled(folder: Path, program: Path) -> None:
    """Put what was compiled from a program for another home into the folder of this one, if there is any."""
    for name, content in _compiled.get(_hash(program), {}).items():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / name).exists():
            write_new(folder / name, content)


def keep_compiled(folder: Path, program: Path) -> None:
    """Remember what was compiled from a program, for other homes."""
    key = _hash(program)
    files = [path for path in folder.glob(f"{key}-*") if path.stat().st_size <= _LARGEST]
    if key not in _compiled and len(files) == 2:  # the program and its digest
        _compiled[key] = {path.name: path.read_bytes() for path in files}


def _hash(program: Path) -> str:
    return hashlib.sha256(program.read_bytes()).hexdigest()
