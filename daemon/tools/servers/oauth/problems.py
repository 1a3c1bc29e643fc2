"""How a login goes wrong."""


class LoginError(Exception):
    """A login, a renewal or a revocation failed; the message is a sentence for a person, without secrets."""

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """The error in the words of OAuth, such as `invalid_grant`."""
        self.status = status
        """The status of the HTTP answer that was no success."""
