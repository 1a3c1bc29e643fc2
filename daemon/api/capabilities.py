"""What the token of a request lets it do: the door puts it into the scope, and routes ask here."""

from starlette.types import Scope

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sessions.tokens import Capability, TokenClaims

_KEY = "aileron.claims"


def note_claims(scope: Scope, claims: TokenClaims) -> None:
    """Note what a token says; only a door does this, once it has checked it."""
    scope[_KEY] = claims


def claims_in(scope: Scope, capability: Capability | None = None) -> TokenClaims:
    """Return who asks, if the token carries a capability; raise the Failure of one that does not."""
    claims: TokenClaims = scope[_KEY]
    if capability is not None and capability not in claims.capabilities:
        raise Failure(
            FailureClass.CAPABILITY_DENIED,
            f"This session's token does not carry {capability.value}.",
            boundary=Boundary.USER,
        )
    return claims
