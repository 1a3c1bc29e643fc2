"""Reads what options of a launch say as people write it: a size, variables for the container."""

from collections.abc import Iterable, Mapping

from daemon.cli.failure import CliFailure
from daemon.core.quantities import QuantityError, parse_size


def bytes_of(text: str | None) -> int | None:
    """Return a size such as 4GiB in bytes; raise CliFailure for a text that is none."""
    if text is None:
        return None
    try:
        return parse_size(text)
    except QuantityError as problem:
        raise CliFailure.usage(str(problem)) from problem


def variables_of(given: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that were given as NAME=VALUE, or as NAME with the value that it has here."""
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or name.startswith("AILERON_"):
            raise CliFailure.usage(f"{each!r} is not NAME or NAME=VALUE, or is a name of ours")
        if not equals and name not in environ:
            raise CliFailure.usage(f"--env {name}: there is no such variable here")
        found[name] = value if equals else environ[name]
    return found
