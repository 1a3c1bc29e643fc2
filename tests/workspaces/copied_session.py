"""A session with commits in a copy of a repository, and the service over it, opened as by one run of the daemon."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from workspaces.conftest import Machine
from workspaces.landed_commits import PROGRAM, git

from daemon.audit.log import AuditLog
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import IdSource
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.core.ids import IdPrefix
from daemon.core.principal import Means, Principal
from daemon.db.engine import open_engine
from daemon.db.migration import migrate
from daemon.workspaces.carrying_out import Files
from daemon.workspaces.commits.commits import CheckBounds
from daemon.workspaces.commits.committing import Commits
from daemon.workspaces.decisions import Decision, How
from daemon.workspaces.layers import copying
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.packing_request import request, snapshot_of
from daemon.workspaces.layers.site import survey
from daemon.workspaces.service import Workspaces
from daemon.workspaces.values import Way

SESSION = "ses_019ab000-1111-7111-8111-0000abcd1234"
PERSON = Principal.person(Means.CLI)


class PackedHere:
    """Packs with the program that runs in the container, without the container."""

    async def pack(self, layer: Layer, file: Path, *, have: Collection[str], sha256: bool, snapshot: bool) -> None:
        """Write what the program says."""
        scratch = layer.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        asked = request(
            place=str(layer.upper(layer.work)),
            have=have,
            sha256=sha256,
            snapshot=snapshot_of(layer) if snapshot else None,
            scratch=str(scratch),
        )
        with file.open("wb") as out:
            ran = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-B", "-S", str(PROGRAM), stdin=asyncio.subprocess.PIPE, stdout=out
            )
            await ran.communicate(asked)
        assert ran.returncode == 0


class CopiedSession:
    """A person's repository, and the copy of it that an agent committed in."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine(folder)
        self.project = self.machine.repository()
        self.layers = Layers(self.machine.home / "workspaces", clock=self.machine.clock)
        site = survey(self.project, self.machine.off_limits)
        layer = self.layers.create(SESSION, site, agent="codex", label="", way=Way.COPY, user="1000:1000")
        copying.copy_site(site, layer, copying.Progress(), spare=0)
        site.close()
        self.agent = layer.upper(layer.work)

    def commits(self, name: str, content: str) -> str:
        """Let the agent commit a file; return the commit."""
        (self.agent / name).write_text(content)
        git(self.agent, "add", "-A")
        git(self.agent, "commit", "-qm", f"adds {name}")
        return git(self.agent, "rev-parse", "HEAD")

    @asynccontextmanager
    async def daemon(self, faults: FaultPoints = NO_FAULTS) -> AsyncIterator[Workspaces]:
        """Open the service, as a start of the daemon does."""
        database = self.machine.folder / "aileron.db"
        migrate(database, backups=self.machine.folder / "backups", now_ms=self.machine.clock.now_ms())
        engine = open_engine(database)
        ids = IdSource(clock=self.machine.clock, entropy=os.urandom)
        signer = CheckpointSigner.open(self.machine.folder / "audit.key")
        audit = AuditLog.open(engine=engine, clock=self.machine.clock, ids=ids, signer=signer, boot="x")
        files = Files(layers=self.layers, audit=audit, faults=faults, draw_id=lambda: ids.new(IdPrefix.AUDIT))
        commits = Commits(
            layers=self.layers, packer=PackedHere(), audit=audit, auto_yes=(), bounds=CheckBounds(), faults=faults
        )
        service = Workspaces(layers=self.layers, files=files, commits=commits)
        await service.take_up()
        try:
            yield service
        finally:
            service.close()
            await audit.close()
            engine.dispose()

    async def decide(self, service: Workspaces, **what: object) -> None:
        """Look at everything, and land it."""
        plan = (await service.changes(SESSION))["plan"]
        commits_plan = (await service.commits(SESSION))["plan"]
        given = {"by": PERSON, "how": How.QUESTION, "plan": plan, "commits_plan": commits_plan} | what
        await service.land(SESSION, Decision(**given))  # type: ignore[arg-type]

    def events(self) -> list[tuple[str, str]]:
        """Return what the log says of workspaces: the type of each event, and by whom."""
        engine = open_engine(self.machine.folder / "aileron.db")
        with engine.connect() as connection:
            rows = connection.execute(
                text("SELECT type, actor FROM audit_events WHERE type LIKE 'workspace.%' ORDER BY seq")
            ).all()
        engine.dispose()
        return [(row.type, row.actor) for row in rows]

    def git(self, *arguments: str) -> str:
        """Run git as the person."""
        return self.machine.git(*arguments)
