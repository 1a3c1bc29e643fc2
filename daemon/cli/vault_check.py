"""Says before a person types a secret that it could not be stored."""

from typing import TYPE_CHECKING

from daemon.cli.failure import CliFailure, ExitCode

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient


def need_open_vault(client: "ControlClient", what: str, *, otherwise: str = "") -> None:
    """Raise CliFailure unless the vault takes something now; `otherwise` is another way, if there is one."""
    state = client.get("/v1/vault")["state"]
    if state == "unlocked":
        return
    verb = "init" if state == "absent" else "unlock"
    raise CliFailure(
        f"{what} cannot be stored: the vault is {state}; nothing was changed",
        exit_code=ExitCode.VAULT_LOCKED,
        failure_class="vault_locked",
        remedy=f"run: aileron vault {verb}{f'. {otherwise}' if otherwise else ''}",
    )
