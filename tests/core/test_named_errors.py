"""An error of the system says which file it is about, also where the system leaves that out."""

import errno
from pathlib import Path

import pytest

from daemon.core.named_errors import about, in_words


def test_a_file_is_named_where_the_system_named_none() -> None:
    with pytest.raises(OSError, match="No space") as caught, about(Path("/home/ann/log")):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert in_words(caught.value) == "/home/ann/log: no space left on device"


def test_a_file_that_the_system_named_stays() -> None:
    with pytest.raises(FileNotFoundError) as caught, about(Path("/home/ann/log")):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/elsewhere")
    assert in_words(caught.value) == "/elsewhere: no such file or directory"


def test_an_error_without_a_file_or_without_words_is_still_told() -> None:
    assert in_words(OSError(errno.EIO, "Input/output error")) == "input/output error"
    assert in_words(OSError("Gone")) == "gone"
