"""`python -m daemon`: the daemon of the home that AILERON_HOME names, in the foreground."""

import contextlib
import gc
import os
import sys


def main() -> int:
    """Run the daemon; a problem a person can mend is said in a sentence, not in a traceback."""
    # Imports make much that stays and little garbage, so looking for it only costs time. The daemon looks again when it
    # is up (daemon.lifecycle.process).
    gc.disable()
    from daemon import app  # noqa: PLC0415 - the looking is off only for what is imported from here on
    from daemon.audit.signing import SigningKeyError  # noqa: PLC0415
    from daemon.base.home import Home  # noqa: PLC0415
    from daemon.base.platform import CannotTellError  # noqa: PLC0415
    from daemon.base.settings import SettingsError  # noqa: PLC0415
    from daemon.core.failures import Failure  # noqa: PLC0415
    from daemon.core.named_errors import in_words  # noqa: PLC0415
    from daemon.db.migration import DatabaseError  # noqa: PLC0415
    from daemon.lifecycle.listeners import ListenError  # noqa: PLC0415
    from daemon.lifecycle.process import run_daemon  # noqa: PLC0415

    try:
        return run_daemon(Home.find(), app.start)
    except (DatabaseError, ListenError, SettingsError, SigningKeyError) as problem:
        _say(f"{problem}\n")
        return 1
    except CannotTellError as problem:
        sys.stderr.write(f"The daemon cannot start, because nobody could tell that it runs: {problem}\n")
        return 1
    except Failure as failure:
        _say(f"The daemon cannot start: {failure.message}\n")
        return 1
    except OSError as problem:
        _say(f"The daemon cannot start: {in_words(problem)}. Mend that, then run the command again.\n")
        return 1


def _say(words: str) -> None:
    # Not through a buffer: what the disk does not take is lost here, and the command that started us says so instead.
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), words.encode())


if __name__ == "__main__":
    sys.exit(main())
