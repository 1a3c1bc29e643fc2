"""The daemon's own log: JSON lines in a file that turns over, and the one place where secrets are taken out of it."""

import logging
import logging.handlers
import os
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import structlog

REDACTED = "[redacted]"
_BYTES, _FILES = 10 * 1024 * 1024, 5
_DEPTH = 8

_SECRET_KEY = re.compile(
    r"(?i)(pass(word|phrase|wd)?|secret|token|api[_-]?key|authorization|cookie|credential|private[_-]?key)$"
)
_PATTERNS = (
    re.compile(r"ailt_[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)?"),
    re.compile(r"(?i)\b(bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?i)\b(authorization|x-api-key|cookie|set-cookie)['\"]?\s*[:=]\s*['\"]?[^\s'\",}]+"),
    re.compile(r"\b(sk|pk|ghp|gho|xox[abp]|glpat|AKIA)[-_]?[A-Za-z0-9_-]{12,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
    re.compile(r"://[^/\s:@]+:[^/\s@]+@"),
)


def redact_text(text: str) -> str:
    """Return a text without what looks like a credential."""
    for pattern in _PATTERNS:
        text = pattern.sub(REDACTED, text)
    return text


def redact(value: Any, *, depth: int = 0) -> Any:
    """Return a value in which every text, at any depth, is redacted, and every value under a telling name is gone."""
    if isinstance(value, str):
        return redact_text(value)
    if depth >= _DEPTH:
        return REDACTED
    if isinstance(value, Mapping):
        return {
            str(key): REDACTED if _SECRET_KEY.search(str(key)) else redact(item, depth=depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth=depth + 1) for item in value]
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(str(value))


def _redacting(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: REDACTED if _SECRET_KEY.search(key) else redact(item) for key, item in event.items()}


def start_logging(path: Path, *, level: str) -> None:
    """Send our own events and those of every library through the redaction into one file."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = _PrivateFile(path, maxBytes=_BYTES, backupCount=_FILES, encoding="utf-8", delay=True)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.stdlib.PositionalArgumentsFormatter(),
                structlog.processors.EventRenamer("message"),
                # Last before the words are written down, so that nothing is added behind it.
                _redacting,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("daemon").setLevel(level.upper())
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class _PrivateFile(logging.handlers.RotatingFileHandler):
    def _open(self) -> Any:
        os.close(os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the library's
        """Lose the line rather than the daemon: a full disk is said by the audit log, loudly."""
