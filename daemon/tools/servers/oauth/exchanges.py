"""The request that a browser carries, and the check of what it brings back: pure."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from daemon.base.clock import Entropy
from daemon.core.visible import visible
from daemon.tools.servers.oauth.clients import Client
from daemon.tools.servers.oauth.discovery import Found
from daemon.tools.servers.oauth.problems import LoginError, known_code

_RANDOM_BYTES = 32
_LONGEST = 16384
_OFFLINE = "offline_access"


class NotOurs(LoginError):
    """What came belongs to no login of ours; the login that waits goes on waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One login by a browser, from its beginning to its code."""

    found: Found
    client: Client = field(repr=False)
    redirect_url: str
    scopes: tuple[str, ...]
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def begun(
        cls, found: Found, client: Client, *, redirect_url: str, scopes: Sequence[str], entropy: Entropy
    ) -> "Exchange":
        """Begin one, with a state and a verifier that nobody can guess."""
        return cls(
            found=found,
            client=client,
            redirect_url=redirect_url,
            scopes=tuple(scopes),
            state=_text(entropy(_RANDOM_BYTES)),
            verifier=_text(entropy(_RANDOM_BYTES)),
        )

    @property
    def url(self) -> str:
        """Return the address that the person's browser goes to."""
        begin = self.found.server.authorization_url
        if begin is None:
            raise LoginError(f"{self.found.server.issuer} offers no login by a browser. Try --device.")
        fields = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": self.redirect_url,
            "state": self.state,
            "code_challenge": _text(hashlib.sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "resource": self.found.resource.resource,
        }
        if self.scopes:
            fields["scope"] = " ".join(self.scopes)
        if _OFFLINE in self.scopes:
            fields["prompt"] = "consent"  # OpenID Connect gives a refresh token for nothing less
        return f"{begin}{'&' if '?' in begin else '?'}{urlencode(fields)}"

    def code(self, query: str) -> str:
        """Return the code of what the browser brought; raises NotOurs, or LoginError if the login is over.

        Nothing of an answer is believed, not even its error, before it is known to be of this login (`state`) and of
        the authorization server that it was begun at (`iss`, RFC 9207).
        """
        if len(query) > _LONGEST:
            raise NotOurs("The answer of the browser is too long.")
        pairs = parse_qsl(query, keep_blank_values=True)
        said = dict(pairs)
        if not hmac.compare_digest(said.get("state", "").encode(), self.state.encode()):
            raise NotOurs("This is the answer to another login, or to none. Open the link of this login.")
        if len(said) != len(pairs):
            raise LoginError("The answer of the authorization server says the same thing twice.")
        self._check_issuer(said.get("iss"))
        if "error" in said:
            reason = said.get("error_description") or said["error"]
            raise LoginError(
                f"{self.found.server.issuer} did not log you in: {visible(reason)[:200].rstrip('.')}.",
                code=known_code(said["error"]),
            )
        if not said.get("code"):
            raise LoginError(f"{self.found.server.issuer} sent no code.")
        return said["code"]

    def _check_issuer(self, iss: str | None) -> None:
        """Refuse the answer of another authorization server than was asked.

        | promised in its document | in the answer | |
        |---|---|---|
        | yes | yes | compared |
        | yes | no  | refused |
        | no  | yes | compared |
        | no  | no  | taken |
        """
        issuer = self.found.server.issuer
        if iss is None and self.found.server.says_iss:
            raise LoginError(f"The answer does not name {issuer}, which promises to name itself. The code is not used.")
        if iss is not None and iss != issuer:
            raise LoginError(f"The answer is from {visible(iss)[:200]!r}, and not from {issuer}. The code is not used.")


def query_of(pasted: str) -> str:
    """Return the query of an address that a person pasted, or of what they copied of it."""
    text = pasted.strip()
    try:
        return urlsplit(text).query if "?" in text else text
    except ValueError:
        return ""


def wanted_scopes(
    challenged: Sequence[str], of_resource: Sequence[str], granted: Sequence[str], *, refresh_scope: bool
) -> tuple[str, ...]:
    """Return what to ask for: what the server's challenge says, or else what it lists; with what is there already."""
    scopes = [*(challenged or of_resource), *granted]
    if refresh_scope:
        scopes.append(_OFFLINE)
    return tuple(dict.fromkeys(scopes))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
