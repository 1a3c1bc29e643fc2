"""Gives a file its servers back, and takes those that came from it out of Aileron again."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.failure import CliFailure
from daemon.cli.importing.records import Record, Records, Taken
from daemon.cli.launch.config_file import ConfigFile
from launchers.importing.texts import SYNTAXES
from launchers.registration.errors import RegistrationError

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient


@dataclass(slots=True)
class Restored:
    """What became of one file."""

    file: str
    agent: str
    how: str = ""
    servers: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    logged_out: list[str] = field(default_factory=list)
    """Where the person was logged in for a server that was taken out."""
    problem: str | None = None


def restore(client: "ControlClient", records: Records, record: Record) -> Restored:
    """Undo one import: the file first, then the servers, and the record last. A repeated one goes on where it ended."""
    done = Restored(record.file, record.agent)
    try:
        done.how, replaced = _give_back(record)
    except (RegistrationError, CliFailure) as problem:
        done.problem = str(problem)
        return done
    there = {item["name"] for item in client.get("/v1/servers")["items"]}
    others = [each for each in records.all() if each.number != record.number]
    for taken in record.entries:
        if taken.key in replaced:
            # Whoever takes it out now loses it: the file has no place for it.
            if taken.server in there:
                done.kept.append(f"{taken.server}: the file has another {taken.key[-1]} by now")
        else:
            _take_out(client, records, taken, there, others, done)
    done.secrets = [name for taken in record.entries for name in taken.secrets]
    records.remove(record)
    return done


def _give_back(record: Record) -> tuple[str, list[tuple[str, ...]]]:
    """Write the file, if need be; return what was done, and in whose place something else stands by now."""
    file = ConfigFile.read(Path(record.file))
    syntax, text = SYNTAXES[record.syntax], file.text
    if text == record.before:
        return "it was as before already", []
    if file.raw is not None and text == record.after:
        file.exchange(record.before)
        return "the same bytes as before", []
    there = syntax.present(text, record.keys)
    replaced = syntax.replaced(text, record.before, there)
    missing = [key for key in record.keys if key not in there]
    if not missing:
        return "it was changed meanwhile, and left as it is" if replaced else "it had its servers already", replaced
    file.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.exchange(syntax.given_back(text, record.before, missing))
    which = "its other servers" if replaced else "the servers"
    return f"it was changed meanwhile; {which} are in it again, and everything else is as it was found", replaced


def _take_out(
    client: "ControlClient",
    records: Records,
    taken: Taken,
    there: set[str],
    others: Sequence[Record],
    done: Restored,
) -> None:
    if taken.server not in there:
        return
    if (
        other := next((each for each in others if any(e.server == taken.server for e in each.entries)), None)
    ) is not None:
        # Another agent's file had the same one. Whoever is restored last takes it out.
        if taken.adds:
            heir = tuple(
                replace(e, adds=True, identity=taken.identity) if e.server == taken.server else e for e in other.entries
            )
            records.change(other, entries=heir)
        done.kept.append(f"{taken.server}: it came from {other.file} as well")
    elif not taken.adds:
        done.kept.append(f"{taken.server}: it was there before the import")
    elif taken.identity not in {None, client.get("/v1/servers/{}", taken.server)["identity"]}:
        done.kept.append(f"{taken.server}: it was changed since the import")
    else:
        removed = client.delete("/v1/servers/{}", taken.server, patient=True)
        if removed["login"] is not None:
            done.logged_out.append(removed["login"]["issuer"])
        done.servers.append(taken.server)
        there.discard(taken.server)
