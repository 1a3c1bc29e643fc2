"""Tools of ours beside those of servers: to find one among many, to read on in a large result.

They touch nothing outside, and take the one path as every tool does.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from daemon.core.account import Account
from daemon.core.canonical import canonical_json
from daemon.core.explanation import Explanation, PreviewShown
from daemon.core.outcome import Outcome, StageRecord
from daemon.core.subject import Subject
from daemon.core.tools import Annotations, ApprovalPolicy, Stage, ToolCall, ToolId, ToolSpec
from daemon.execution.seam import PreviewContext, RunContext
from daemon.tools.servers.arguments import ArgumentCheck
from daemon.tools.servers.outcomes import READ_ON
from daemon.tools.servers.searching import MOST_FOUND
from daemon.tools.servers.values import KIND

ORIGIN = "aileron"
SEARCH, DESCRIBE, CALL = "search_tools", "describe_tool", "call_tool"
_VERSION = "1"


def _schema(required: list[str], **properties: Any) -> Mapping[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_NAME = {"type": "string", "description": "The name of the tool, as search_tools gives it."}
_SCHEMAS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    SEARCH: (
        "Find tools by words: there are too many to list. Then describe one with describe_tool, and use call_tool.",
        _schema(
            ["query"],
            query={"type": "string", "maxLength": 500, "description": "What it should do, in a few words."},
            limit={"type": "integer", "minimum": 1, "maximum": MOST_FOUND, "default": 10},
        ),
    ),
    DESCRIBE: ("Describe one tool: what it does, and which arguments it takes.", _schema(["name"], name=_NAME)),
    CALL: (
        "Call one of the tools that search_tools finds, with the arguments that describe_tool tells.",
        _schema(["name"], name=_NAME, arguments={"type": "object", "description": "The arguments of the tool."}),
    ),
    READ_ON: (
        "Read on in a result that was cut. Its end names the handle.",
        _schema(
            ["handle"],
            handle={"type": "string", "description": "The handle, res_..."},
            offset={"type": "integer", "minimum": 0, "default": 0, "description": "Where to begin, in characters."},
        ),
    ),
}
STAND_INS = (SEARCH, DESCRIBE, CALL)
_CHECKS = {name: ArgumentCheck(schema) for name, (_, schema) in _SCHEMAS.items()}


def spec_of(name: str) -> ToolSpec:
    """Return one of them as agents see it."""
    description, schema = _SCHEMAS[name]
    return ToolSpec(
        tool=ToolId(KIND, name),
        name=name,
        origin=ORIGIN,
        title=name.replace("_", " ").capitalize(),
        version=_VERSION,
        description=description,
        input_schema=schema,
        definition=_definition(name),
        approval_required=False,
        annotations=Annotations(read_only=name != CALL, destructive=name == CALL, open_world=name == CALL),
    )


def checked(call: ToolCall) -> Mapping[str, Any]:
    """Return the arguments of a call of one of them. Raises the Failure that says what is wrong with them."""
    _CHECKS[call.tool.name].check(call.tool.name, call.arguments)
    return call.arguments


def _definition(name: str) -> str:
    said = {"name": name, "said": _SCHEMAS[name][0], "schema": _SCHEMAS[name][1]}
    return f"sha256:{hashlib.sha256(canonical_json(said).encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedOwnTool:
    """A call of one of them, checked."""

    name: str
    arguments: Mapping[str, Any]
    answer: Callable[[], Any]
    """Returns the result; raises the Failure that says why there is none."""

    approval: ClassVar[ApprovalPolicy] = ApprovalPolicy()
    defined_by: ClassVar[str] = "the version of Aileron"
    arguments_key: ClassVar[None] = None
    blocked: ClassVar[None] = None
    attributes: ClassVar[Mapping[str, Any]] = {}

    @property
    def subject(self) -> Subject:
        """Return which of them it is."""
        return Subject(kind=KIND, origin=ORIGIN, name=self.name, version=_VERSION, definition=_definition(self.name))

    @property
    def first_stage(self) -> Stage:
        """Return the one stage there is; nothing leaves."""
        return Stage(name="answer", op=self.name, target=ORIGIN, may_repeat=True)

    def accounts(self) -> tuple[Account, ...]:
        """Return none."""
        return ()

    async def explain(self) -> Explanation:
        """Return what it does."""
        return Explanation(complete=True, description=_SCHEMAS[self.name][0])

    async def preview(self, context: PreviewContext) -> PreviewShown:  # noqa: ARG002 - there is nothing to look at
        """Say that there is nothing to look at."""
        return PreviewShown(available=False, message="It has no preview.")

    async def run(self, context: RunContext) -> Outcome:
        """Answer from memory."""
        context.check_open(self.first_stage)
        result = self.answer()
        record = StageRecord(id="answer", op=self.name, succeeded=True, ms=0)
        text = result["text"] if self.name == READ_ON else json.dumps(result, ensure_ascii=False)
        data = {key: value for key, value in result.items() if self.name != READ_ON or key != "text"}
        return Outcome(stages=(record,), result=data, content=({"type": "text", "text": text},))
