"""The daemon refuses a folder of its own as a workspace or as the context of an image, before it asks any engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from services.upstream import UpstreamProcess
from world import World

from aileron_testing import AileronError, AileronSandbox


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Offer a running installation whose home is not in its usual place."""
    with UpstreamProcess() as upstream, World(tmp_path_factory.mktemp("refused"), upstream=upstream.url) as made:
        made.start()
        yield made
        made.stop()


def places(world: World) -> dict[str, Path]:
    link, below = world.folder / "link", world.folder / "project" / "below"
    below.parent.mkdir(exist_ok=True)
    for made, to in ((link, world.home), (below, world.home / "actions")):
        made.unlink(missing_ok=True)
        made.symlink_to(to)
    return {
        "the home": world.home,
        "its actions": world.home / "actions",
        "what is not there yet": world.home / "new",
        "by a step back": world.folder / "project" / ".." / world.home.name / "actions",
        "by a link": link,
        "by a link to what lies in it": below,
        "what holds it": world.folder,
        "everything": Path("/"),
        "the person's home": Path.home(),
        "the usual home": Path.home() / ".aileron",
    }


NAMES = [
    *(
        "the home",
        "its actions",
        "what is not there yet",
        "by a step back",
        "by a link",
        "by a link to what lies in it",
    ),
    *("what holds it", "everything", "the person's home", "the usual home"),
]


@pytest.mark.parametrize("name", NAMES)
def test_no_folder_in_at_or_around_a_home_is_accepted_as_a_workspace(world: World, name: str) -> None:
    body = {"agent": "codex", "command": ["true"], "workspace": str(places(world)[name]), "environment": {}}
    answer = world.control("POST", "/v1/sandboxes", body)
    assert answer.status_code >= 400
    error = answer.json()["error"]
    assert error["class"] == "invalid_arguments"
    # The command line has resolved what the person typed, so a link that is there now is not followed at all.
    wanted = "replaced by a link" if name.startswith("by a link") else "Work in the folder of a project."
    assert wanted in error["message"]


@pytest.mark.parametrize("name", NAMES)
def test_no_folder_in_at_or_around_a_home_is_accepted_as_the_context_of_an_image(world: World, name: str) -> None:
    context = places(world)[name]
    body = {"context": str(context), "dockerfile": str(context / "Dockerfile")}
    answer = world.control("POST", "/v1/sandbox-images/build-own", body)
    assert answer.status_code >= 400
    assert "Work in the folder of a project." in answer.json()["error"]["message"]


def test_a_suite_cannot_give_its_daemon_s_home_away_either() -> None:
    with AileronSandbox() as aileron:
        for place in (aileron.home, aileron.home / "actions", aileron.home.parent, Path("/")):
            owner = place.stat().st_uid
            with pytest.raises(AileronError, match="Name another folder"):
                aileron.start_program(["true"], workspace=place)
            assert place.stat().st_uid == owner
