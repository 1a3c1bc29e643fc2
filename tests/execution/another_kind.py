"""A kind of tool that is neither an action nor a connector, and a daemon that has it: everything it takes is here.

`python -m tests.execution.another_kind` is that daemon. Its one tool writes a line into a ledger,
which is a file; a line may be told to dawdle, so that a test can kill the daemon while it is being written.
"""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from daemon import app
from daemon.base.home import Home
from daemon.core.account import Account
from daemon.core.explanation import Explanation, InputShown, PreviewShown, StepShown
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.outcome import Outcome, StageRecord
from daemon.core.principal import Principal
from daemon.core.subject import Subject
from daemon.core.tools import ApprovalPolicy, Stage, ToolCall, ToolId, ToolSpec
from daemon.execution.seam import PreviewContext, RunContext
from daemon.lifecycle.process import run_daemon

KIND = "ledger"
SCHEMA = {"type": "object", "properties": {"line": {"type": "string"}}, "required": ["line"]}
STAGE = Stage(name="write", op="append", target="ledger", may_repeat=False)


def definition() -> str:
    """Return the hash of what the tool does: a file beside the ledger, which a test may change."""
    return f"sha256:{hashlib.sha256(Path(os.environ['LEDGER'] + '.rules').read_bytes()).hexdigest()}"


def append(line: str) -> None:
    """Write one line."""
    with Path(os.environ["LEDGER"]).open("a") as ledger:
        ledger.write(line + "\n")


@dataclass(frozen=True)
class PreparedLine:
    subject: Subject
    arguments: Mapping[str, Any]
    approval = ApprovalPolicy(required=True, expires_seconds=600)
    defined_by = "the ledger's rule book"
    first_stage = STAGE
    arguments_key = None
    attributes: ClassVar[Mapping[str, Any]] = {}
    blocked = None

    def accounts(self) -> tuple[Account, ...]:
        return ()

    async def explain(self) -> Explanation:
        line = InputShown(name="line", parts=(self.arguments["line"],))
        step = partial(
            StepShown, id="write", connector="ledger", version="1", hash=self.subject.definition, op="append"
        )
        shown = step(op_description="", capability="write", may_repeat=False, hosts=(), inputs=(line,))
        return Explanation(complete=True, description="Writes a line.", steps=(shown,))

    async def preview(self, context: PreviewContext) -> PreviewShown:  # noqa: ARG002
        return PreviewShown(available=False, message="A ledger has no preview.")

    async def run(self, context: RunContext) -> Outcome:
        context.enter(STAGE)
        await context.before_effect(STAGE)
        append(self.arguments["line"])
        if self.arguments["line"].startswith("slow"):
            await asyncio.sleep(60)
        block = {"type": "text", "text": f"written: {self.arguments['line']}"}
        record = StageRecord(id="write", op="append", succeeded=True, ms=0)
        return Outcome(stages=(record,), result={"written": True}, content=(block,))


class LedgerProvider:
    kind = KIND

    async def list(self, who: Principal) -> Sequence[ToolSpec]:  # noqa: ARG002
        spec = partial(ToolSpec, tool=ToolId(KIND, "write"), name="ledger__write", origin="test", title="Write a line")
        return [
            spec(
                version="1",
                description="Writes a line.",
                input_schema=SCHEMA,
                definition=definition(),
                approval_required=True,
            )
        ]

    def known(self, name: str) -> ToolId | None:  # noqa: ARG002 - as the seam has it
        """Return none: every tool of this kind is listed."""
        return None

    def meant(self, call: ToolCall) -> ToolCall:
        return call

    async def prepare(self, call: ToolCall) -> PreparedLine:
        if not isinstance(call.arguments.get("line"), str):
            raise Failure(FailureClass.INVALID_ARGUMENTS, "'line' is a text.", boundary=Boundary.ACTION)
        subject = Subject(kind=KIND, origin="test", name=call.tool.name, version="1", definition=definition())
        return PreparedLine(subject, dict(call.arguments))

    async def changes(self) -> AsyncGenerator[None, None]:
        before = definition()
        while True:
            await asyncio.sleep(0.1)
            if definition() != before:
                before = definition()
                yield


def main() -> int:
    """Be a daemon that has this kind of tool."""
    return run_daemon(Home.find(), partial(app.start, more_providers=(LedgerProvider(),)))


if __name__ == "__main__":
    sys.exit(main())
