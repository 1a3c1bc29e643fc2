"""What servers were given, so that it can be taken out of whatever comes back from them."""

from daemon.core.scrubbing.scrub import Scrubber

_SHORTEST_LINE = 8
"""A shorter line of a secret stands in too much unrelated text to be taken out."""

_LOGINS_KEPT = 4


class KnownSecrets:
    """The secrets of each server, by its name."""

    def __init__(self) -> None:
        self._put_in: dict[str, frozenset[str]] = {}
        self._tokens: dict[str, tuple[frozenset[str], ...]] = {}
        """The secrets of the last logins at each server; they change all the time, so old ones are let go."""
        self._scrubbers: dict[str, Scrubber] = {}

    def scrubber_of(self, server: str) -> Scrubber | None:
        """Return what takes out the secrets of a server; None if it was given none."""
        return self._scrubbers.get(server)

    def scrubbed(self, server: str, text: str) -> str:
        """Return a text without the secrets of a server."""
        scrubber = self._scrubbers.get(server)
        return text if scrubber is None else scrubber.scrub(text)

    def put_in(self, server: str, secrets: frozenset[str]) -> None:
        """Take what a server is started with; a former value stays, because a process that has it may still run."""
        secrets |= _lines(secrets)
        known = self._put_in.get(server, frozenset())
        if not secrets <= known:
            self._put_in[server] = known | secrets
            self._make_scrubber(server)

    def tokens(self, server: str, secrets: frozenset[str]) -> None:
        """Take the secrets of a login."""
        kept = self._tokens.get(server, ())
        if secrets not in kept:
            self._tokens[server] = (*kept, secrets)[-_LOGINS_KEPT:]
            self._make_scrubber(server)

    def _make_scrubber(self, server: str) -> None:
        every = self._put_in.get(server, frozenset()).union(*self._tokens.get(server, ()))
        self._scrubbers[server] = Scrubber(every, like=self._scrubbers.get(server))


def _lines(secrets: frozenset[str]) -> frozenset[str]:
    """Return the lines of secrets that have several: a log is written, and cleaned, line by line."""
    several = [lines for secret in secrets if len(lines := secret.splitlines()) > 1]
    return frozenset(line for lines in several for line in lines if len(line) >= _SHORTEST_LINE)
