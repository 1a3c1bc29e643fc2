"""Whom a connection to the daemon believes: the named certificates, those of the system, or nobody."""

import ssl
from pathlib import Path


def trust(url: str, ca_file: Path | None = None) -> ssl.SSLContext:
    """Return what a client of this address checks certificates with; raises OSError or ssl.SSLError for a bad file.

    Plain HTTP on loopback needs no certificates, and reading those of the system takes longer than the request. The
    context without any still checks: should such a client ever be sent to HTTPS, it connects to nobody.
    """
    if ca_file is not None:
        return ssl.create_default_context(cafile=str(ca_file))
    if url.startswith("https:"):
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
