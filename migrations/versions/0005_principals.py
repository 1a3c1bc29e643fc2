"""Approvals and sessions say how who asked, decided or opened was authenticated."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; what older versions wrote has nothing in them."""
    op.add_column("approvals", sa.Column("asked_with", sa.String(20)))
    op.add_column("approvals", sa.Column("decided_with", sa.String(20)))
    op.add_column("sessions", sa.Column("opened_by", sa.String(200)))
    op.add_column("sessions", sa.Column("opened_with", sa.String(20)))
