"""Lets the requests to one server in: the headers, and what is done when they are refused."""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar

from daemon.core.failures import Failure
from daemon.tools.servers.oauth.challenges import Challenge, read_challenge
from daemon.tools.servers.oauth.own_header import Key, keys_not_accepted
from daemon.tools.servers.oauth.refreshing import Grants, OnSecrets
from daemon.tools.servers.upstream.seam import Trouble, UpstreamError

_sent: ContextVar[str | None] = ContextVar("the token of the request that this task makes", default=None)
"""Calls share a connection, and one task makes one request after the other. So the task knows what its request had."""


class Challenges:
    """Keeps what each server wanted last, for the login that a person begins then."""

    def __init__(self) -> None:
        self._last: dict[str, Challenge] = {}

    def note(self, at: str, challenge: Challenge) -> None:
        """Keep it."""
        self._last[at] = challenge

    def last(self, at: str) -> Challenge | None:
        """Return what a server wanted last."""
        return self._last.get(at)

    def met(self, at: str) -> None:
        """Forget it: a login was made for it."""
        self._last.pop(at, None)


class ServerAuthorisation:
    """The authorisation of one connection."""

    def __init__(
        self,
        server: str,
        at: str,
        *,
        grants: Grants,
        challenges: Challenges,
        on_secrets: OnSecrets,
        keys: Sequence[Key] = (),
    ) -> None:
        self._keys = keys
        self._server = server
        self._at = at
        self._grants = grants
        self._challenges = challenges
        self._on_secrets = on_secrets

    async def headers(self) -> Mapping[str, str]:
        """Return the header with the access token; none if nobody is logged in, for the server may want no login."""
        try:
            grant = await self._grants.current(self._server, self._at)
        except Failure as failure:
            raise UpstreamError(Trouble.UNAUTHORISED, failure.message, failure=failure) from failure
        _sent.set(None if grant is None else grant.access_token)
        if grant is None:
            return {}
        # Before it is sent, so that it is taken out of whatever comes back.
        self._on_secrets(self._server, grant.secrets)
        return {"authorization": f"Bearer {grant.access_token}"}

    async def refused(self, challenge: str) -> bool:
        """Renew the login if that helps. More rights are a person's to give, so they are never asked for here."""
        wanted = read_challenge(challenge)
        self._challenges.note(self._at, wanted)
        if wanted.wants_more:
            scopes = f" ({' '.join(wanted.scopes)})" if wanted.scopes else ""
            raise UpstreamError(Trouble.UNAUTHORISED, f"this login has too few rights; it wants more{scopes[:300]}")
        try:
            again = await self._grants.after_refusal(self._server, self._at, _sent.get())
        except Failure as failure:
            raise UpstreamError(Trouble.UNAUTHORISED, failure.message, failure=failure) from failure
        if not again and self._keys and _sent.get() is None:
            refused = keys_not_accepted(self._server, self._keys, offers_login=wanted.metadata_url is not None)
            raise UpstreamError(Trouble.UNAUTHORISED, refused.message, failure=refused)
        return again
