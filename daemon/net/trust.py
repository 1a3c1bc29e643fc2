"""Whose certificates the daemon believes when it connects to a service."""

import ssl
from pathlib import Path


def service_trust(extra_ca_file: Path | None) -> ssl.SSLContext:
    """Trust what the system trusts, and besides the authorities in the person's own file.

    Only HTTP/1.1 is offered, because nothing here speaks HTTP/2. Raises OSError or ssl.SSLError if the file cannot be
    read.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if extra_ca_file is not None:
        context.load_verify_locations(cafile=extra_ca_file)
    return context
