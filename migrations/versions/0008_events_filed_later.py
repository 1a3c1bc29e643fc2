"""The indexes of the log stand beside it, in a table that is filled some hundred events at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_ALWAYS = ("time", "type")
_OFTEN_EMPTY = ("session", "action", "connector", "failure_class")


def upgrade() -> None:
    """Make the table, with every event that there is, and take the indexes off the log."""
    sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "audit_index",
        sa.Column("seq", sequence, primary_key=True, autoincrement=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("session", sa.String(40)),
        sa.Column("action", sa.String(200)),
        sa.Column("connector", sa.String(500)),
        sa.Column("failure_class", sa.String(100)),
    )
    columns = ", ".join(("seq", *_ALWAYS, *_OFTEN_EMPTY))
    op.execute(f"INSERT INTO audit_index ({columns}) SELECT {columns} FROM audit_events")  # noqa: S608 - constants
    for column in (*_ALWAYS, *_OFTEN_EMPTY):
        op.drop_index(f"audit_events_by_{column}", "audit_events")
        present = None if column in _ALWAYS else sa.column(column).is_not(None)
        op.create_index(
            f"audit_index_by_{column}",
            "audit_index",
            [column, "seq"],
            sqlite_where=present,
            postgresql_where=present,
        )
