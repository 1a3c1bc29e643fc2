"""`aileron connector sign`: the key is made once, never shown, and the next step is named."""

from pathlib import Path
from typing import Any

from daemon.cli.failure import ExitCode

MANIFEST = """
[connector]
name = "github://acme/slack"
version = "1.2.0"
description = "Posts."
[connector.idempotency]
default = "idempotent"
[capabilities.network]
hosts = ["slack.example:443"]
[ops.post_message]
capability = "chat:write"
idempotent = false
description = "Posts a message."
"""


def test_a_key_is_made_once_and_a_second_time_is_refused(cli: Any, tmp_path: Path) -> None:
    folder = tmp_path / "connector"
    folder.mkdir()
    (folder / "connector.wasm").write_bytes(b"\0asm\x01\0\0\0")
    (folder / "manifest.toml").write_text(MANIFEST)
    key = tmp_path / "publisher"
    missing = cli("connector", "sign", str(folder), "--key", str(key))
    assert missing.code == ExitCode.USAGE
    assert "--new-key" in missing.err
    ended = cli("connector", "sign", str(folder), "--key", str(key), "--new-key")
    assert ended.code == 0
    assert f"aileron keyring add {key}.pub --namespace github://acme" in ended.err
    secret = key.read_text()
    assert not any(line in ended.out + ended.err for line in secret.splitlines())
    again = cli("connector", "sign", str(folder), "--key", str(key), "--new-key")
    assert again.code == ExitCode.USAGE
    assert key.read_text() == secret
    assert cli("connector", "sign", str(folder), "--key", str(key), "--json").json["public_key"] == f"{key}.pub"
