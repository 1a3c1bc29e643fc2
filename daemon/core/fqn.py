"""Fully qualified names: where a connector or an action comes from."""

import re
from dataclasses import dataclass

SCHEMES = ("github", "gitlab", "file")
MAX_FQN_LENGTH = 256

_FORM = "<scheme>://<owner>/<repo>[/<sub/path>], like github://acme/slack"
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class FqnError(ValueError):
    """A text is not a fully qualified name."""


@dataclass(frozen=True, slots=True, order=True)
class Fqn:
    """A name such as github://acme/slack; two names are the same only when they are spelled the same."""

    scheme: str
    owner: str
    repo: str
    subpath: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Fqn":
        """Read a name, refusing unknown schemes and anything that could be a path of its own."""
        if len(text) > MAX_FQN_LENGTH:
            raise FqnError(f"A name of {len(text)} characters is too long; the limit is {MAX_FQN_LENGTH}.")
        scheme, separator, rest = text.partition("://")
        if not separator:
            raise FqnError(f"{text!r} is not a full name; write {_FORM}.")
        if scheme not in SCHEMES:
            raise FqnError(f"The scheme of {text!r} is unknown; use one of {', '.join(SCHEMES)}.")
        segments = rest.split("/")
        if len(segments) < 2:
            raise FqnError(f"{text!r} lacks an owner or a repository; write {_FORM}.")
        for segment in segments:
            if not _SEGMENT.fullmatch(segment):
                raise FqnError(
                    f"The part {segment!r} of {text!r} is not allowed; a part begins with a letter or digit "
                    "and holds only letters, digits, '.', '_' and '-'."
                )
        return cls(scheme=scheme, owner=segments[0], repo=segments[1], subpath=tuple(segments[2:]))

    @property
    def service(self) -> str:
        """Return the short name of the service: the last part, in lower case."""
        return (self.subpath[-1] if self.subpath else self.repo).lower()

    def __str__(self) -> str:
        """Write the name in full."""
        return f"{self.scheme}://{'/'.join((self.owner, self.repo, *self.subpath))}"
