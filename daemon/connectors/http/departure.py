"""One attempt at a request on its way out: the credential joins it when the connection is there, and not earlier."""

from dataclasses import dataclass

from daemon.connectors.http.records import InjectedHeader
from daemon.connectors.http.urls import Target
from daemon.net.http1.head import framing, request_head

_ACCEPT_ENCODING = ("Accept-Encoding", "gzip, deflate")


@dataclass(slots=True)
class Departure:
    """One attempt at a request: what goes where, the credential that is attached last, and whether it may have left."""

    target: Target
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    credential: InjectedHeader | None
    may_have_left: bool = False

    def head(self, *, user_agent: str) -> bytes:
        """Write the head of the request, with the credential in it; raises HeadError.

        To be called when there is a connection to the very service of `target`: before that, nothing that is handed
        around holds the credential.
        """
        target, credential = self.target, self.credential
        set_by_us = "" if credential is None else credential.name.lower()
        names = set()
        lines: list[tuple[bytes, bytes]] = []
        for name, value in self.headers:
            folded = name.lower()
            if folded != set_by_us:
                names.add(folded)
                lines.append((name.encode(), value.encode()))
        if "accept-encoding" not in names:
            lines.append(_as_bytes(*_ACCEPT_ENCODING))
        if "user-agent" not in names:
            lines.append(_as_bytes("User-Agent", user_agent))
        if credential is not None:
            lines.append(_as_bytes(credential.name, credential.value))
        path = f"{target.path}{target.query}".encode("ascii")
        length = framing(self.method, (), self.body or b"")
        return request_head(self.method, path, target.authority.encode("ascii"), lines, length)


def _as_bytes(name: str, value: str) -> tuple[bytes, bytes]:
    return name.encode(), value.encode()
