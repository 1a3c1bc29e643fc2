"""The ways in which commits do not land: each is a Failure, so that it is told as every other one is."""

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.named_errors import in_words


def refused(message: str) -> Failure:
    """Say that what came out of the container is not taken, because of what it is."""
    return Failure(FailureClass.CAPABILITY_DENIED, message, boundary=Boundary.SANDBOX)


def too_large(message: str) -> Failure:
    """Say that what came out of the container is more than will be looked at."""
    return Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, message, boundary=Boundary.SANDBOX)


def conflict(message: str) -> Failure:
    """Say that the person's repository is not as it was, or not in a state in which this can be done."""
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)


def moved(place: str) -> Failure:
    """Say that something of the person's repository went away while it was worked on."""
    return conflict(f"{place} was moved or replaced meanwhile. Once it is in its place again, look again.")


def needs_yes(paths: list[str]) -> Failure:
    """Say that a branch has changes that would run later, and that nobody said yes to by name."""
    return Failure(
        FailureClass.APPROVAL_DENIED,
        "These paths would run on this machine later, and land only when each was named and said yes to: "
        + ", ".join(repr(path) for path in paths[:10])
        + (f" and {len(paths) - 10} more" if len(paths) > 10 else ""),
        boundary=Boundary.USER,
        details={"paths": paths[:1000]},
    )


def git_failed(command: str, said: str) -> Failure:
    """Say what git said on this machine."""
    return Failure(
        FailureClass.INTERNAL_ERROR, f"git {command} failed: {said or 'it said nothing'}", boundary=Boundary.RUNTIME
    )


@contextmanager
def disk_failures() -> Iterator[None]:
    """Turn what the system says of files (a full disk, a missing right) into a Failure."""
    try:
        yield
    except OSError as problem:
        message = f"The commits could not be landed: {in_words(problem)}"
        raise Failure(FailureClass.INTERNAL_ERROR, message, boundary=Boundary.RUNTIME) from problem


def no_git() -> Failure:
    """Say that there is no git on this machine."""
    return Failure(
        FailureClass.NOT_FOUND,
        "There is no git on this machine, so commits cannot land. Install git, or land the files only.",
        boundary=Boundary.USER,
    )
