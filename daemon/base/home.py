"""Where everything of a user's installation lies; knows names, opens nothing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one installation."""

    path: Path

    @classmethod
    def find(cls, environment: Mapping[str, str] | None = None) -> "Home":
        """Return the home that AILERON_HOME names, or the one in the user's home folder."""
        named = (os.environ if environment is None else environment).get("AILERON_HOME", "")
        return cls(Path(named).expanduser().absolute() if named else Path.home() / ".aileron")

    def prepare(self) -> None:
        """Make the folder and those in it, for the owner only."""
        for folder in (
            self.path,
            self.actions_dir,
            self.store_dir,
            self.ca_dir,
            self.logs_dir,
            self.cache_dir,
            self.backups_dir,
            self.workspaces_dir,
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def actions_dir(self) -> Path:
        """Return where action files lie."""
        return self.path / "actions"

    @property
    def store_dir(self) -> Path:
        """Return where connectors lie."""
        return self.path / "store"

    @property
    def vault_path(self) -> Path:
        """Return the vault file."""
        return self.path / "vault.json"

    @property
    def database_path(self) -> Path:
        """Return the database file."""
        return self.path / "aileron.db"

    @property
    def attachments_dir(self) -> Path:
        """Return where values lie that are too large for a row of the log."""
        return self.path / "attachments"

    @property
    def keyring_path(self) -> Path:
        """Return the file of trusted keys."""
        return self.path / "keyring.json"

    @property
    def config_path(self) -> Path:
        """Return the settings file."""
        return self.path / "config.toml"

    @property
    def servers_path(self) -> Path:
        """Return the file of MCP servers."""
        return self.path / "servers.yaml"

    @property
    def discovery_path(self) -> Path:
        """Return the file that says where the daemon listens."""
        return self.path / "daemon.json"

    @property
    def ports_path(self) -> Path:
        """Return the file that remembers on which ports the daemon listened."""
        return self.path / "ports.json"

    @property
    def lock_path(self) -> Path:
        """Return the file whose lock the daemon holds."""
        return self.path / "daemon.lock"

    @property
    def spawn_lock_path(self) -> Path:
        """Return the file whose lock is held while a daemon is being started."""
        return self.path / "spawn.lock"

    @property
    def ca_dir(self) -> Path:
        """Return where our own keys lie."""
        return self.path / "ca"

    @property
    def sandboxes_dir(self) -> Path:
        """Return where each running sandbox has a folder."""
        return self.path / "sandboxes"

    @property
    def workspaces_dir(self) -> Path:
        """Return where the layers lie that agents wrote to."""
        return self.path / "workspaces"

    @property
    def logs_dir(self) -> Path:
        """Return where logs lie."""
        return self.path / "logs"

    @property
    def log_path(self) -> Path:
        """Return the daemon's own log; older parts of it have a number behind the name."""
        return self.logs_dir / "daemon.jsonl"

    @property
    def server_logs_dir(self) -> Path:
        """Return where each local server has a log of what it writes to its error output."""
        return self.logs_dir / "servers"

    @property
    def cache_dir(self) -> Path:
        """Return where what can be made again lies."""
        return self.path / "cache"

    @property
    def backups_dir(self) -> Path:
        """Return where copies of the database from before an upgrade lie."""
        return self.path / "backups"

    @property
    def imports_dir(self) -> Path:
        """Return where it is kept what agents' files were before servers were taken out of them."""
        return self.path / "imports"
