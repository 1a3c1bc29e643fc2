"""Runs the migrations. It is imported only when there is something to run: most starts find nothing to do."""

from pathlib import Path

from alembic import command
from alembic.config import Config

import migrations
from daemon.db.engine import open_engine


def upgrade(path: Path) -> None:
    """Bring the database file to the newest revision, all of it or nothing."""
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    engine = open_engine(path)
    try:
        with engine.execution_options(aileron_writes=True).begin() as connection:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")
    finally:
        engine.dispose()
