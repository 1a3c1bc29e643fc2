"""The labels by which we find what we have made in a Docker engine. Pure."""

import hashlib

HOME = "io.aileron.home"
SESSION = "io.aileron.session"
ROLE = "io.aileron.role"
PACKER = "packer"
"""The role of what packs commits. It has no session to end with: its agent may have ended long ago."""
NO_SESSION = "none"
"""What is made for a moment, to look into an image."""


def home_label(home: str) -> str:
    """Return how this installation is called in an engine that others use, too."""
    return hashlib.sha256(home.encode()).hexdigest()[:16]


def labels(home: str, session: str, role: str) -> dict[str, str]:
    """Return the labels of one thing."""
    return {HOME: home_label(home), SESSION: session, ROLE: role}
