"""Approvals and runs name a tool of whatever kind; what an approval is bound to is one value, its subject."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_KIND = "action"
"""The one kind of tool there was before."""


def upgrade() -> None:
    """Carry every record over: the same call, with the digest that it was asked for under."""
    with op.batch_alter_table("approvals") as approvals:
        approvals.add_column(sa.Column("kind", sa.String(40)))
        approvals.add_column(sa.Column("subject", sa.Text))
        approvals.alter_column("action", new_column_name="name")
    _write_subjects(op.get_bind())
    with op.batch_alter_table("approvals") as approvals:
        approvals.alter_column("kind", existing_type=sa.String(40), nullable=False)
        approvals.alter_column("subject", existing_type=sa.Text(), nullable=False)
        for gone in ("action_version", "action_hash", "connector_hashes", "accounts"):
            approvals.drop_column(gone)
    with op.batch_alter_table("open_executions") as runs:
        runs.add_column(sa.Column("kind", sa.String(40), nullable=False, server_default=_KIND))
        runs.alter_column("action", new_column_name="name")
        runs.alter_column("step", new_column_name="stage")
    with op.batch_alter_table("open_executions") as runs:
        runs.alter_column("kind", existing_type=sa.String(40), server_default=None)


def _write_subjects(connection: sa.Connection) -> None:
    read = ("id", "name", "action_version", "action_hash", "connector_hashes", "accounts")
    table = sa.table("approvals", *map(sa.column, (*read, "kind", "subject")))
    for row in connection.execute(sa.select(table)).all():
        subject: dict[str, Any] = {
            "kind": _KIND,
            "origin": "local",
            "name": row.name,
            "version": row.action_version,
            "definition": row.action_hash,
            # The version before kept the hashes of connectors and not their names.
            "depends_on": [{"name": "", "hash": each} for each in json.loads(row.connector_hashes)],
            # None where it was not bound to accounts at all; the daemon takes such a request back when it starts.
            "accounts": None if row.accounts is None else json.loads(row.accounts),
        }
        values = {"kind": _KIND, "subject": json.dumps(subject)}
        connection.execute(sa.update(table).where(table.c.id == row.id).values(**values))
