"""How a login goes wrong."""

_CODES = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "invalid_scope", "invalid_target", "invalid_token"),
        *("invalid_redirect_uri", "invalid_client_metadata", "unauthorized_client", "unsupported_grant_type"),
        *("unsupported_response_type", "unsupported_token_type", "access_denied", "expired_token", "slow_down"),
        *("authorization_pending", "server_error", "temporarily_unavailable", "insufficient_scope"),
        *("interaction_required", "login_required", "consent_required"),
    }
)


class LoginError(Exception):
    """A login, a renewal or a revocation failed; the message is a sentence for a person, without secrets."""

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """The error in the words of OAuth, such as `invalid_grant`."""
        self.status = status
        """The status of the HTTP answer that was no success."""


def known_code(said: object) -> str | None:
    """Return an error in the words of OAuth; None for any other text, which may repeat a secret that was sent."""
    return said if isinstance(said, str) and said in _CODES else None
