"""Namespaces: the part of the world of names that a signing key is trusted for."""

from daemon.connectors.errors import KeyringError
from daemon.core.failures import Boundary, FailureClass
from daemon.core.fqn import Fqn, FqnError


def parse_namespace(text: str) -> str:
    """Check a namespace: a scheme and an owner, and any further whole parts of a name."""
    if not isinstance(text, str):
        raise _refused("A namespace is text, such as github://acme.")
    text = text.removesuffix("/")
    scheme, separator, path = text.partition("://")
    try:
        # An owner alone is a namespace but not yet a name; a part is added so that one parser checks both.
        Fqn.parse(text if "/" in path else f"{text}/any")
    except FqnError as error:
        raise _refused(
            f"{text!r} is not a namespace ({error}). Write an owner or a repository: github://acme."
        ) from error
    return f"{scheme}{separator}{path}"


def covers(namespace: str, name: Fqn) -> bool:
    """Say whether a name lies in a namespace; only whole parts count, so acme does not cover acme-evil."""
    written = str(name)
    return written == namespace or written.startswith(f"{namespace}/")


def _refused(message: str) -> KeyringError:
    return KeyringError(message, failure_class=FailureClass.INVALID_ARGUMENTS, boundary=Boundary.USER)
