"""The daemon's own log: JSON lines in a file that is rotated; every event is redacted before it is written."""

import contextlib
import logging
import logging.handlers
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from daemon.base.redaction import Redactor, redact_text

__all__ = ["Redactor", "log_from", "redact_text", "start_logging"]

_BYTES, _FILES = 10 * 1024 * 1024, 5


@contextlib.contextmanager
def start_logging(path: Path, *, level: str, redactor: Redactor) -> Iterator[None]:
    """Write our own events and those of every library into one file, redacted, for as long as this is open."""
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
                # The last step before the rendering, so that no later step can add a secret.
                redactor,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root, ours = logging.getLogger(), logging.getLogger("daemon")
    before = (root.handlers, root.level, ours.level)
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    ours.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        root.handlers, level_before, ours_before = before
        root.setLevel(level_before)
        ours.setLevel(ours_before)
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
        # On a full disk the last lines are lost; the daemon has still stopped as it should.
        with contextlib.suppress(OSError):
            handler.close()


def log_from(level: str) -> None:
    """Write our own events from another level on, from now on."""
    logging.getLogger("daemon").setLevel(level.upper())


class _PrivateFile(logging.handlers.RotatingFileHandler):
    def _open(self) -> Any:
        os.close(os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the library's
        """Drop the line and go on. A full disk is reported by the audit log, which refuses runs while it lasts."""
