"""What an agent committed in a layer is packed by a container of ours, in a real engine, and lands."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox.engine import USER, engine
from workspaces.landed_commits import git, why

from daemon.base.clock import SystemClock
from daemon.core.failures import Failure, FailureClass
from daemon.sandbox import volumes
from daemon.sandbox.container_options import WORKSPACE
from daemon.sandbox.engine import Engine
from daemon.sandbox.images import Images
from daemon.sandbox.labels import HOME, home_label, labels
from daemon.sandbox.packing import Packing, PackingLimits
from daemon.workspaces.commits.branches import bring
from daemon.workspaces.commits.commits import Checked, check
from daemon.workspaces.commits.host_git import HostGit, Repository
from daemon.workspaces.commits.packed import read_packed
from daemon.workspaces.commits.person_refs import PersonRefs
from daemon.workspaces.commits.quarantine import is_sha256
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.opening import open_folder
from daemon.workspaces.layers.site import survey
from daemon.workspaces.values import Way

pytestmark = pytest.mark.docker
SESSION = "ses_packing"
IDENTITY = "git config --global user.name Agent && git config --global user.email agent@example.com"


@dataclass
class Place:
    """A person's repository with a layer over it, and an image."""

    folder: Path
    person: Path
    image: str
    layer: Layer
    off_limits: OffLimits
    repository: Repository

    def agent(self, script: str) -> None:
        """Let an agent run a script in the layer, as in a sandbox."""
        client = engine()
        marks = labels(str(self.folder), SESSION, "agent")
        site = survey(self.person, self.off_limits)
        parts = dict(site.opened())
        mounted, held = [], []
        for part in self.layer.parts:
            held += [open_folder(self.layer.upper(part)), open_folder(self.layer.scratch(part))]
            name = f"aileron-{SESSION}-{part.name}"
            mounted.append(
                volumes.overlay(name, lower=parts[part.name], upper=held[-2], scratch=held[-1], inside=part.inside)
            )
        try:
            volumes.make(client, mounted, marks)
            config = client.create_host_config(
                mounts=[volumes.described(each) for each in mounted], network_mode="none", cap_drop=["ALL"]
            )
            made = client.create_container(
                image=self.image,
                entrypoint=["/bin/sh", "-ec", f"{IDENTITY}; {script}"],
                user=f"{USER}:{USER}",
                working_dir=WORKSPACE,
                environment={"HOME": "/tmp"},
                labels=marks,
                host_config=config,
            )["Id"]
            client.start(made)
            code = client.wait(made)["StatusCode"]
            said = client.logs(made).decode()
            client.remove_container(made, force=True, v=True)
            volumes.remove(client, mounted)
            assert code == 0, said
        finally:
            for each in held:
                each.close()
            site.close()
            client.close()

    async def packed(self, packing: Packing, *, snapshot: bool = False) -> Checked:
        """Pack and check."""
        file = self.folder / "packed"
        have = PersonRefs.read(self.repository).all()
        sha256 = is_sha256(HostGit.of(self.repository))
        await packing.pack(self.layer, file, have=have, sha256=sha256, snapshot=snapshot)
        start = self.layer.start
        return check(
            self.repository,
            read_packed(file),
            self.folder / "quarantine",
            start_branch=start.branch,
            start_commit=start.commit,
            reasons=why,
        )


@pytest.fixture
def make(tmp_path: Path, images: dict[str, str]) -> Iterator[Callable[[Path, Repository], Place]]:
    """Offer layers over repositories."""

    def made(person: Path, repository: Repository) -> Place:
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{USER}:{USER}", str(tmp_path)], check=True)
        off_limits = OffLimits(homes=(), person=Path("/nonexistent"))
        with_layers = Layers(tmp_path / "layers", clock=SystemClock())
        site = survey(person, off_limits)
        layer = with_layers.create(SESSION, site, agent="codex", label="x", way=Way.OVERLAY, user=f"{USER}:{USER}")
        site.close()
        return Place(tmp_path, person, images["codex"], layer, off_limits, repository)

    yield made
    assert left_of(str(tmp_path)) == []


def left_of(home: str) -> list[str]:
    """Return the containers and volumes of one installation; there must be none as soon as it has packed."""
    client = engine()
    try:
        mine = {"label": f"{HOME}={home_label(home)}"}
        volumes_left = client.volumes(filters=mine)["Volumes"] or []
        return [each["Id"] for each in client.containers(all=True, filters=mine)] + [
            each["Name"] for each in volumes_left
        ]
    finally:
        client.close()


def repository(folder: Path) -> Path:
    """Make a repository with one commit and a configuration that names programs."""
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("one\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


@pytest.fixture
async def packing(tmp_path: Path) -> AsyncIterator[Packing]:
    async for each in _packing(tmp_path, PackingLimits(memory_bytes=512 * 1024**2, seconds=60)):
        yield each


async def _packing(folder: Path, limits: PackingLimits) -> AsyncIterator[Packing]:
    containers = Engine(socket=None)
    off_limits = OffLimits(homes=(), person=Path("/nonexistent"))
    made = Packing(engine=containers, images=Images(containers), off_limits=off_limits, home=str(folder), limits=limits)
    yield made
    made.close()
    await containers.close()


async def test_commits_and_uncommitted_work_land_from_a_layer(
    tmp_path: Path, make: Callable[[Path, Repository], Place], packing: Packing
) -> None:
    person = repository(tmp_path / "person")
    place = make(person, Repository(person / ".git", person / ".git"))
    place.agent(
        "echo two > b.txt; git add -A; git commit -qm second; git checkout -qb work; rm a.txt; git commit -qam third; "
        "echo three > c.txt; git gc -q"
    )
    checked = await place.packed(packing, snapshot=True)
    assert checked.head == "refs/heads/work"
    assert {each.ref: [commit.subject for commit in each.commits] for each in checked.branches} == {
        "refs/heads/main": ["second"],
        "refs/heads/work": ["third", "second"],
    }
    assert checked.snapshot is not None
    bring(place.repository, checked, SESSION)
    if os.geteuid() == 0:
        assert {each.stat().st_uid for each in (person / ".git").rglob("*")} == {USER}
    git(person, "-c", "safe.directory=*", "fsck", "--full", "--strict")
    listed = git(person, "-c", "safe.directory=*", "ls-tree", "--name-only", f"refs/aileron/{SESSION}/snapshot")
    assert listed.split() == ["b.txt", "c.txt"]


async def test_commits_land_from_a_worktree(
    tmp_path: Path, make: Callable[[Path, Repository], Place], packing: Packing
) -> None:
    main = repository(tmp_path / "person")
    git(main, "worktree", "add", "-q", "-b", "side", "../tree")
    place = make(tmp_path / "tree", Repository(main / ".git/worktrees/tree", main / ".git"))
    place.agent("echo two > b.txt; git add -A; git commit -qm second")
    checked = await place.packed(packing)
    assert [(each.ref, each.forward) for each in checked.branches] == [("refs/heads/side", True)]
    assert bring(place.repository, checked, SESSION) == {"refs/heads/side": f"refs/aileron/{SESSION}/heads/side"}


async def test_nothing_that_the_agents_configuration_names_runs_when_its_commits_are_packed(
    tmp_path: Path, make: Callable[[Path, Repository], Place], packing: Packing
) -> None:
    person = repository(tmp_path / "person")
    place = make(person, Repository(person / ".git", person / ".git"))
    # The program fills the disk of the container, so that packing fails if it runs.
    place.agent(
        "printf '#!/bin/sh\\nkill -9 -1\\n' > evil; chmod +x evil; mkdir hooks; "
        "for hook in reference-transaction post-index-change pre-auto-gc; do cp evil hooks/$hook; done; "
        "echo two > b.txt; git add -A; git commit -qm second; "
        "for key in core.fsmonitor core.pager core.editor core.sshCommand core.alternateRefsCommand diff.external "
        "gpg.program filter.x.clean filter.x.process filter.x.smudge diff.x.textconv merge.x.driver "
        "uploadpack.packObjectsHook credential.helper; do git config $key /workspace/evil; done; "
        "git config core.hooksPath /workspace/hooks; echo '* filter=x diff=x merge=x' > .gitattributes; "
        "mkdir -p .git/info; echo '* filter=x' > .git/info/attributes; echo three > c.txt"
    )
    checked = await place.packed(packing, snapshot=True)
    assert checked.snapshot is not None
    assert ".gitattributes" in dict(checked.snapshot.later)


async def test_a_layer_can_be_packed_while_its_agent_works(
    tmp_path: Path, make: Callable[[Path, Repository], Place], packing: Packing
) -> None:
    person = repository(tmp_path / "person")
    place = make(person, Repository(person / ".git", person / ".git"))
    place.agent("echo two > b.txt; git add -A; git commit -qm second")
    working = asyncio.get_running_loop().run_in_executor(
        None,
        place.agent,
        "for n in 1 2 3 4 5 6 7 8; do echo $n > $n.txt; git add -A; git commit -qm $n; sleep 0.1; done",
    )
    seen = (await place.packed(packing)).branches
    await working
    assert [each.ref for each in seen] == ["refs/heads/main"]
    assert (await place.packed(packing)).branches[0].commits[0].subject == "8"


async def test_what_packs_commits_has_no_network_no_rights_and_cannot_write(
    tmp_path: Path, make: Callable[[Path, Repository], Place], packing: Packing
) -> None:
    person = repository(tmp_path / "person")
    place = make(person, Repository(person / ".git", person / ".git"))
    # Git waits for this one, so there is time to look.
    place.agent("echo two > b.txt; git add -A; git commit -qm second; mkfifo .gitignore")
    task = asyncio.ensure_future(place.packed(packing, snapshot=True))
    client = engine()
    try:
        found: dict[str, Any] = {}
        for _ in range(200):
            names = [each["Id"] for each in client.containers(filters={"label": "io.aileron.role=packer"})]
            if names:
                found = client.inspect_container(names[0])
                break
            await asyncio.sleep(0.05)
        config = found["HostConfig"]
        assert config["NetworkMode"] == "none"
        assert config["CapDrop"] == ["ALL"]
        assert config["SecurityOpt"] == ["no-new-privileges"]
        assert config["ReadonlyRootfs"]
        assert not config["Privileged"]
        assert config["LogConfig"]["Type"] == "none"
        assert config["PidsLimit"] == 64
        assert config["Memory"] == config["MemorySwap"] == 512 * 1024**2
        assert not any(each["RW"] for each in found["Mounts"])
        assert found["Config"]["User"] == f"{USER}:{USER}"
        # What a daemon left that was killed goes, and what is at work stays.
        client.create_volume("aileron-left-packed", labels=labels(str(tmp_path), "packer-left", "packer"))
        assert await packing.sweep() == 1
        assert client.containers(filters={"label": "io.aileron.role=packer"})
    finally:
        client.close()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_what_packs_commits_ends_by_itself_when_its_time_is_over(
    tmp_path: Path, make: Callable[[Path, Repository], Place]
) -> None:
    person = repository(tmp_path / "person")
    place = make(person, Repository(person / ".git", person / ".git"))
    place.agent("echo two > b.txt; git add -A; git commit -qm second; mkfifo .gitignore")
    async for packing in _packing(tmp_path, PackingLimits(memory_bytes=512 * 1024**2, seconds=1)):
        with pytest.raises(Failure, match="it took longer than 1 s"):
            await place.packed(packing, snapshot=True)


async def test_more_than_may_be_packed_is_cut_off(tmp_path: Path, make: Callable[[Path, Repository], Place]) -> None:
    person = repository(tmp_path / "person")
    place = make(person, Repository(person / ".git", person / ".git"))
    place.agent("head -c 40000000 /dev/urandom > big; git add -A; git commit -qm big")
    async for packing in _packing(tmp_path, PackingLimits(pack_bytes=1024**2, memory_bytes=512 * 1024**2, seconds=60)):
        with pytest.raises(Failure, match="it is more than 1048576 bytes") as failure:
            await place.packed(packing)
        assert failure.value.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED
        assert not (tmp_path / "packed").exists()
