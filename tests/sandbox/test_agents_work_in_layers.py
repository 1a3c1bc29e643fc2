"""Each of the five agents works on a real repository with its own shell, and what it did lands by decision."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelled import modelled
from sandbox.engine import SHORTLY, Shell
from sandbox.person import Person, Terminal
from sandbox.test_sandboxed_agents import AGENTS, ARGUMENTS, KEY, OPTIONS
from services.model_server import ModelProcess
from services.upstream import UpstreamProcess
from world import World

pytestmark = [pytest.mark.docker, pytest.mark.agents]

WORK = (
    "set -e; echo more >> edited.txt; rm deleted.txt; git mv renamed.txt moved.txt; echo hello > added.txt; "
    "git add -A; git commit -qm 'work of an agent'; git branch aside; git switch -q -c topic; "
    "echo topic > topic.txt; git add -A; git commit -qm topic; git rebase -q main; git switch -q main; "
    "git merge -q topic; git status --porcelain; echo open > not-committed.txt; echo FINISHED"
)
GOOSE = ("run", "--no-session", "--with-builtin", "developer", "-q", "-t", "Work.")


class Bench:
    """An installation whose model is scripted."""

    def __init__(self, world: World, model: ModelProcess) -> None:
        self.world, self.model = world, model


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, images: dict[str, str]) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("agents")
    with (
        UpstreamProcess() as upstream,
        ModelProcess() as model,
        modelled(folder, upstream=upstream, model=model, key=KEY, **SHORTLY) as world,
    ):
        yield Bench(world, model)


@pytest.fixture
def person(bench: Bench) -> Iterator[Person]:
    """Offer a person with a repository, in a folder that an ordinary user can reach."""
    with tempfile.TemporaryDirectory(prefix="aileron-agents-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        made = Person(Shell(bench.world, folder))
        made.repository()
        yield made


def words(agent: str, *options: str) -> list[str]:
    arguments = GOOSE if agent == "goose" else ARGUMENTS[agent]
    return ["launch", "--sandbox", *options, *OPTIONS.get(agent, ()), agent, "--", *arguments]


def has_the_work(person: Person) -> None:
    """Look whether a repository has what the agents were told to do, and nothing else."""
    assert person.git("log", "--format=%s", "main") == "topic\nwork of an agent\nfirst"
    assert person.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert person.status() == ["?? not-committed.txt"]
    assert (person.folder / "edited.txt").read_text() == "edited\nmore\n"
    assert (person.folder / "moved.txt").read_text() == "renamed\n"
    for path in ("deleted.txt", "renamed.txt"):
        assert not (person.folder / path).exists()
    person.is_sound()


@pytest.mark.parametrize("agent", AGENTS)
def test_what_an_agent_did_lands_as_a_branch_and_then_where_the_person_is(
    bench: Bench, person: Person, agent: str
) -> None:
    bench.model.work(WORK)
    ended = person.shell.run(*words(agent, "--land", "branch", "--json"), seconds=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "FINISHED" in ended.stdout, ended.stdout + ended.stderr
    told = json.loads(ended.stderr.strip().splitlines()[-1])
    branch = told["workspace"]["outcome"]["branch"]
    assert branch.startswith(f"refs/heads/aileron/{agent}-")
    assert person.status() == []
    assert person.git("show", f"{branch}:not-committed.txt") == "open"
    assert person.git("log", "--format=%s", "--skip=1", branch) == "topic\nwork of an agent\nfirst"
    landed = person.shell.run("session", "land", told["session"], "--yes")
    assert landed.returncode == 0, landed.stderr
    has_the_work(person)


@pytest.mark.parametrize("agent", AGENTS)
def test_what_an_agent_did_at_a_terminal_lands_after_one_yes(bench: Bench, person: Person, agent: str) -> None:
    bench.model.work(WORK)
    terminal = Terminal(person.shell, words(agent))
    terminal.until("Land? [y/N/diff] ")
    assert person.status() == []
    terminal.types("y\n")
    code, shown = terminal.ends()
    assert code == 0, shown
    has_the_work(person)
