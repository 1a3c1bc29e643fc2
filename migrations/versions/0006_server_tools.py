"""Tools of servers: what each was when it was accepted, and the names that agents call them by."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "server_looks",
        sa.Column("server", sa.String(100), primary_key=True),
        sa.Column("first_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "server_tools",
        sa.Column("server", sa.String(100), primary_key=True),
        sa.Column("tool", sa.String(512), primary_key=True),
        sa.Column("record", sa.String(300), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("accepted", sa.Text),
        sa.Column("pending", sa.Text),
        sa.Column("first_ms", sa.BigInteger, nullable=False),
        sa.Column("accepted_ms", sa.BigInteger),
        sa.Column("accepted_by", sa.String(200)),
    )
    op.create_table(
        "server_tool_names",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("prefix", sa.String(100), nullable=False),
        sa.Column("server", sa.String(100), nullable=False),
        sa.Column("tool", sa.String(512), nullable=False),
        sa.UniqueConstraint("prefix", "server", "tool", name="server_tool_names_once"),
    )
