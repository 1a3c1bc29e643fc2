"""A folder that is swapped for a link while a sandbox starts in it shows the agent nothing of where the link leads."""

from pathlib import Path

import pytest
from sandbox.engine import run_inside
from sandbox.swapping import LOOK, PLACES, SECRET, WAYS, Trap, launch, swapping
from world import World

pytestmark = pytest.mark.docker


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Offer a folder that an ordinary user can reach."""
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(above.stat().st_mode | 0o055)
    return tmp_path / "trap"


def test_the_look_shows_what_a_sandbox_sees(world: World, place: Path) -> None:
    assert SECRET in run_inside(world, Trap.make(place, "the folder").other, LOOK).out


@pytest.mark.parametrize(("what", "way"), list(zip(PLACES, (*WAYS, *WAYS), strict=False)))
def test_what_is_swapped_while_a_sandbox_starts_never_shows_anything_else(
    world: World, place: Path, what: str, way: str
) -> None:
    trap = Trap.make(place, what)
    with swapping(trap):
        launch(world, trap, way)
