"""Puts the room together: sessions, and the key under which their tokens are minted."""

from pathlib import Path

from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, Entropy, IdSource
from daemon.db.reader import Reader
from daemon.sessions.keyfile import load_key
from daemon.sessions.service import Sessions
from daemon.sessions.tokens import TokenAuthority


def build(*, key: Path, audit: AuditLog, reader: Reader, clock: Clock, ids: IdSource, entropy: Entropy) -> Sessions:
    """Read the key, or make it the first time; what sessions there were is loaded when the daemon takes them up."""
    authority = TokenAuthority(key=load_key(key, entropy=entropy))
    return Sessions(audit=audit, reader=reader, clock=clock, ids=ids, authority=authority)
