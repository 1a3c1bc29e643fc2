"""Takes secrets out of everything that the daemon writes about itself: log lines, errors, names."""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from daemon.core.scrubbing.scrub import MARK, Scrubber

REDACTED = MARK
_DEPTH = 8

_TELLING_NAME = re.compile(
    r"(?i)(pass(word|phrase|wd)|secret|api[_-]?key|authorization|credential|private[_-]?key|(token|cookie|passwd)s?$)"
)
_PATTERNS = (
    re.compile(r"ailt_[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"),
    re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{8,}"),
    # Longer than any word of a sentence that begins with "basic" or "token".
    re.compile(r"(?i)\b(basic|token)\s+[A-Za-z0-9._~+/=-]{16,}"),
    re.compile(r"(?i)\b(authorization|x-api-key|cookie|set-cookie)['\"]?\s*[:=]\s*['\"]?[^\s'\",}]+"),
    re.compile(r"(?i)\b[a-z_-]*(password|passphrase|secret|token|api[_-]?key)=[^\s'\"&,;}]+"),
    re.compile(r"(?i)['\"][a-z_-]*(password|passphrase|secret|token|api[_-]?key)['\"]\s*:\s*['\"][^'\"]*['\"]"),
    re.compile(r"\b(sk|pk|ghp|gho|xox[abp]|glpat|AKIA)[-_]?[A-Za-z0-9_-]{12,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
    re.compile(r"://[^/\s:@]+:[^/\s@]+@"),
)


def redact_text(text: str) -> str:
    """Return a text without what looks like a credential."""
    for pattern in _PATTERNS:
        text = pattern.sub(REDACTED, text)
    return text


class Redactor:
    """Removes the secrets it was told, in every form they may be written in, and what looks like a credential."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._scrubber = Scrubber(())

    def register(self, *secrets: str) -> None:
        """Remember secrets; they are never forgotten, because a late message may still carry an old one."""
        if not self._secrets.issuperset(secrets):
            self._secrets.update(secrets)
            self._scrubber = Scrubber(self._secrets, like=self._scrubber)

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        # Registered secrets go first: a pattern that removes a part of one would hide the rest of it from the search.
        return redact_text(self._scrubber.scrub(text))

    def value(self, value: Any, *, depth: int = 0) -> Any:
        """Return a value with every text in it redacted, at any depth; under names like `password`, nothing is kept."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float):
            written = repr(value)
            return value if self._scrubber.scrub(written) == written else REDACTED
        if isinstance(value, bytes | bytearray | memoryview):
            return f"{len(value)} bytes"
        if depth >= _DEPTH:
            return REDACTED
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item, depth=depth + 1) for item in value]
        return self.text(_words(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        named = ((_words(name), item) for name, item in value.items())
        return {
            self.text(name): REDACTED if _TELLING_NAME.search(name) else self.value(item, depth=depth + 1)
            for name, item in named
        }

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Redact an event on its way into the log."""
        return self._mapping(event, 0)


def _words(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - foreign code; a log line must not fail because of what it is about
        return f"<{type(value).__name__}>"
