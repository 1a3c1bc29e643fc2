"""Browser sessions: a one-time link from the terminal becomes a cookie; every change needs a token of its own."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from daemon.base.clock import Clock, Deadline, Entropy

COOKIE = "aileron_session"
_LINK_MS = 60_000
_SESSION_MS = 8 * 3600 * 1000
_MAX_LINKS = 64
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    end: Deadline
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """A signed-in browser; the name of its cookie's digest, never the cookie, is what we keep."""

    key: bytes
    end: Deadline

    @property
    def csrf_token(self) -> str:
        """Return the token that a form of this session must carry."""
        return hmac.digest(self.key, b"csrf", hashlib.sha256).hex()


class BrowserSessions:
    """Hands out one-time links and knows the browsers that used them; nothing of it survives a restart."""

    def __init__(self, *, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._links: dict[str, _Link] = {}
        self._sessions: dict[bytes, BrowserSession] = {}

    def make_link(self, target: str) -> str:
        """Return a code that signs one browser in, once, within a minute."""
        self._forget_old()
        while len(self._links) >= _MAX_LINKS:
            self._links.pop(next(iter(self._links)))
        code = self._entropy(_SECRET_BYTES).hex()
        self._links[code] = _Link(end=self._after(_LINK_MS), target=target)
        return code

    def redeem(self, code: str) -> tuple[str, str] | None:
        """Spend a code; return the new cookie and where to go."""
        self._forget_old()
        link = self._links.pop(code, None)
        if link is None:
            return None
        cookie = self._entropy(_SECRET_BYTES).hex()
        key = _digest(cookie)
        self._sessions[key] = BrowserSession(key=key, end=self._after(_SESSION_MS))
        return cookie, link.target

    def find(self, headers: Mapping[str, str]) -> BrowserSession | None:
        """Return the session of a request's cookie."""
        try:
            jar = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return None
        morsel = jar.get(COOKIE)
        if morsel is None:
            return None
        session = self._sessions.get(_digest(morsel.value))
        if session is None or session.end.has_come(self._clock):
            return None
        return session

    def _forget_old(self) -> None:
        clock = self._clock
        self._links = {code: link for code, link in self._links.items() if not link.end.has_come(clock)}
        self._sessions = {key: session for key, session in self._sessions.items() if not session.end.has_come(clock)}

    def _after(self, lifetime_ms: int) -> Deadline:
        now = self._clock.now_ms()
        return Deadline.of(self._clock, since_ms=now, until_ms=now + lifetime_ms)


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).digest()
