"""What goes wrong with a server, as a failure for who asked: what may have run is never called not run. Pure."""

from collections.abc import Mapping
from typing import Any

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.visible import visible
from daemon.tools.servers.upstream.messages import MISSING_CAPABILITY
from daemon.tools.servers.upstream.seam import Trouble, UpstreamError

_LONGEST = 500
_CAPABILITIES = ("elicitation", "roots", "sampling")

MAY_BE_SENT_AGAIN = frozenset({Trouble.NOT_REACHED, Trouble.SESSION_GONE})
"""The request certainly had no effect, and a new connection may help."""


def _needed(data: Any) -> list[str]:
    """Return the capabilities of a client that a server said it needs, as far as the protocol has them."""
    named = data.get("requiredCapabilities") if isinstance(data, Mapping) else None
    return [name for name in _CAPABILITIES if isinstance(named, Mapping) and name in named]


def failure_of(trouble: UpstreamError, *, server: str, what: str, sent: bool, may_repeat: bool) -> Failure:
    """Return the failure of a call.

    `sent` says whether the request itself was handed over: what went wrong before that is no failure of it.
    """
    reason = visible(trouble.message.replace("\n", " "))[:_LONGEST].rstrip(".")
    details = {"server": server, "trouble": trouble.trouble.value}
    if trouble.code is not None:
        details["code"] = str(trouble.code)
    if sent and trouble.may_have_run and not may_repeat:
        return Failure(
            FailureClass.OUTCOME_UNKNOWN,
            f"{what} was sent to the server {server}, and what became of it is not known: {reason}. It may or may not "
            "have taken effect: look there before asking again.",
            boundary=Boundary.EXTERNAL,
            details=details,
        )
    if trouble.failure is not None:
        return trouble.failure.with_details({"server": server})
    match trouble.trouble:
        case Trouble.UNAUTHORISED:
            command = f"aileron server login {server}"
            return Failure(
                FailureClass.BINDING_REQUIRED,
                f"The server {server} wants a login ({reason}). Nothing was run. A person can run `{command}`.",
                boundary=Boundary.USER,
                details=details | {"command": command},
            )
        case Trouble.NO_PROCESS | Trouble.NOT_STARTED:
            return _not_started(trouble.trouble, server, reason, details)
        case Trouble.REFUSED if trouble.code == MISSING_CAPABILITY:
            needed = _needed(trouble.data)
            return Failure(
                FailureClass.EXTERNAL_API_ERROR,
                f"The server {server} cannot do {what} for an agent that does not answer what it would ask back "
                f"({', '.join(needed) or reason}). Sampling needs a rule that allows it besides, {server}__(sampling).",
                boundary=Boundary.EXTERNAL,
                details=details | {"needed": needed},
            )
        case Trouble.REFUSED:
            return Failure(
                FailureClass.EXTERNAL_API_ERROR,
                f"The server {server} answered {what} with an error: {reason}.",
                boundary=Boundary.EXTERNAL,
                details=details,
            )
        case _:
            return Failure(
                FailureClass.NETWORK_ERROR,
                f"The server {server} could not be asked: {reason}. Nothing that has an effect was run.",
                boundary=Boundary.EXTERNAL,
                retriable=True,
                details=details,
            )


def _not_started(trouble: Trouble, server: str, reason: str, details: Mapping[str, str]) -> Failure:
    """Return the failure of a server that is not there; one whose program was never executed has written no log."""
    has_log = trouble is Trouble.NOT_STARTED
    command = f"aileron server {'logs' if has_log else 'test'} {server}"
    can = f"run `{command}`" if has_log else f"mend its entry in servers.yaml and run `{command}`"
    return Failure(
        FailureClass.CONNECTOR_RUNTIME_ERROR,
        f"The server {server} could not be started: {reason}. Nothing was run. A person can {can}.",
        boundary=Boundary.EXTERNAL,
        details={**details, "command": command},
    )
