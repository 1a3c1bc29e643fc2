"""Takes a call's credential out of everything that leaves the call: result, errors, log lines, records of requests.

What comes back from a service was scrubbed on its way in. This is the second wall: it knows the secret from the start,
whether or not a request was made, and looks at what goes out, whoever put it there.
"""

from collections.abc import Callable, Sequence
from typing import Protocol
from weakref import WeakKeyDictionary

from daemon.connectors.answers import scrub_all, tidy_message
from daemon.connectors.http.records import Denial
from daemon.core.account import Account
from daemon.core.attempts import AttemptRecord
from daemon.core.failures import Failure
from daemon.core.scrubbing.scrub import Scrubber, secrets_of_header

Redact = Callable[[str], str]

_MAX_LISTED = 20


class Resolved(Protocol):
    """A credential that is ready to be attached."""

    @property
    def binding(self) -> str: ...
    @property
    def account(self) -> Account: ...
    @property
    def header(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def secrets(self) -> tuple[str, ...]: ...


class Scrubbers:
    """One scrubber for each credential, kept for as long as the credential itself is."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[Resolved, Scrubber] = WeakKeyDictionary()

    def of(self, credential: Resolved) -> Scrubber:
        """Return the scrubber that knows a credential in all its forms."""
        made = self._made.get(credential)
        if made is None:
            made = self._made[credential] = Scrubber((*credential.secrets, *secrets_of_header(credential.value)))
        return made


class Seal:
    """Cleans what one call lets out."""

    def __init__(self, scrubber: Scrubber | None, *, redact: Redact) -> None:
        self.scrub: Callable[[str], str] | None = None if scrubber is None else scrubber.scrub
        self._redact = redact

    def clean(self, text: str) -> str:
        """Take out the secret, and what looks like one."""
        return self._redact(text if self.scrub is None else self.scrub(text))

    def message(self, text: str) -> str:
        """Make a text that a connector had a hand in fit to be shown and kept."""
        return tidy_message(text, scrub=self.clean)

    def failure(self, failure: Failure) -> Failure:
        """Return a failure with the secret taken out of its message and its details."""
        return failure.cleaned(self.clean, lambda details: scrub_all(details, self.clean))

    def attempts(self, attempts: Sequence[AttemptRecord]) -> list[AttemptRecord]:
        """Clean the records of requests."""
        if self.scrub is None:
            return list(attempts)
        return [
            attempt._replace(path=self.scrub(attempt.path), error=attempt.error and self.scrub(attempt.error))
            for attempt in attempts
        ]

    def denials(self, denials: Sequence[Denial]) -> list[dict[str, str]]:
        """Write refusals for a record: the first few, cleaned."""
        return [
            {
                "rule": denial.kind.value,
                "host": self.message(denial.host),
                "message": self.message(denial.message),
            }
            for denial in denials[:_MAX_LISTED]
        ]
