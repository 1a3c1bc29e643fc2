"""One home and its backup for all tests of this folder, which change neither."""

import asyncio
from pathlib import Path

import pytest
from audit.audit_room import open_room
from custody.homes import back_up, furnish, write_some


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Offer a folder with a `home` and its `backup`."""
    folder = tmp_path_factory.mktemp("original")
    (folder / "home").mkdir()
    furnish(folder / "home")

    async def make() -> None:
        async with open_room(folder / "home") as room:
            await write_some(room, 3)
            await back_up(room, folder / "backup")

    asyncio.run(make())
    return folder


@pytest.fixture
def backup(original: Path) -> Path:
    """Offer a backup that nobody touched."""
    return original / "backup"
