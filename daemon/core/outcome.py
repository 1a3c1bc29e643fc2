"""What became of a run: its result or its failure, and in both cases what was tried on the way."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from daemon.core.attempts import AttemptRecord
from daemon.core.failures import Failure

Content = tuple[Mapping[str, Any], ...]
"""Blocks of a result in the form that MCP gives them, such as `{"type": "text", "text": "..."}`."""


class StageRecord(NamedTuple):
    """One stage that was begun, and how it went."""

    id: str
    op: str
    succeeded: bool
    ms: int
    attempts: tuple[AttemptRecord, ...] = ()
    binding: str | None = None
    """The name of the credential that was used."""

    def as_json(self) -> dict[str, Any]:
        """Return it as the audit log has it."""
        record: dict[str, Any] = {
            "id": self.id,
            "op": self.op,
            "status": "succeeded" if self.succeeded else "failed",
            "ms": self.ms,
            "attempts": list(map(AttemptRecord.as_json, self.attempts)),
        }
        if self.binding is not None:
            record["binding"] = self.binding
        return record


class Outcome(NamedTuple):
    """The end of a run; with a failure there is no result."""

    stages: tuple[StageRecord, ...] = ()
    result: Any = None
    """The structured result, any JSON value."""
    content: Content | None = None
    """The result as blocks, where the tool gives them itself; else the result is the one text there is."""
    meta: Mapping[str, Any] | None = None
    """What the tool says of its result for programs, as `_meta` of MCP."""
    failed_by_tool: bool = False
    """The tool answered, and said that it failed: a result for who asked, a failure in the records."""
    failure: Failure | None = None

    def with_stages(self, stages: tuple[StageRecord, ...]) -> "Outcome":
        """Return the same end, with what was done on the way."""
        return Outcome(
            stages=stages,
            result=self.result,
            content=self.content,
            meta=self.meta,
            failed_by_tool=self.failed_by_tool,
            failure=self.failure,
        )

    @property
    def completed(self) -> list[str]:
        """Return the names of the stages that went well."""
        return [stage.id for stage in self.stages if stage.succeeded]
