"""Writes and reads the record of a layer: one JSON file for each layer, always replaced as a whole."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.workspaces.layers.layer import Layer, Part, Start, State
from daemon.workspaces.values import Way

NAME = "record.json"
_VERSION = 1


class RecordError(Exception):
    """A record cannot be used: why."""


def written(layer: Layer) -> bytes:
    """Return what is written of a layer."""
    fields = asdict(layer)
    del fields["folder"]
    return json.dumps({"version": _VERSION, **fields}, ensure_ascii=True).encode() + b"\n"


def read(raw: bytes, folder: Path) -> Layer:
    """Read a record; raise RecordError. The folder's name is the session's id, because it changes in one step."""
    try:
        fields: dict[str, Any] = json.loads(raw)
        if fields.pop("version") != _VERSION:
            raise RecordError("it was written by a newer Aileron")
        session, earlier = str(fields.pop("session")), tuple(fields.pop("earlier"))
        if session != folder.name:
            earlier = (*earlier, session)
        return Layer(
            session=folder.name,
            earlier=earlier,
            way=Way(fields.pop("way")),
            state=State(fields.pop("state")),
            parts=tuple(Part(**part) for part in fields.pop("parts")),
            start=Start(**fields.pop("start")),
            folder=folder,
            **fields,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise RecordError("it is damaged") from problem
