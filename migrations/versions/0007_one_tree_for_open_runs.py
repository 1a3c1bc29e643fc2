"""SQLite keeps the runs under way in one tree, in the order of their ids."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table anew, with every run in it that is still open."""
    # A text key is a second tree beside the rows, and each commit writes the changed pages of both: every run puts a
    # row in and takes it out again. Other databases do not know this option and leave it out.
    with op.batch_alter_table("open_executions", recreate="always", table_kwargs={"sqlite_with_rowid": False}):
        pass
