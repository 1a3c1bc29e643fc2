"""A session may belong to a process of this machine, and ends when that one does."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add who owns a session."""
    op.add_column("sessions", sa.Column("owner_pid", sa.Integer))
    op.add_column("sessions", sa.Column("owner_identity", sa.String(200)))
