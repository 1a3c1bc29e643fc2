"""The tables of the spine: audit log, checkpoints, sessions, approvals, open executions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


# Long, because a migration that has run on people's machines is never written anew.
def upgrade() -> None:
    """Make the tables."""
    sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "audit_events",
        sa.Column("seq", sequence, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("session", sa.String(40)),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(200)),
        sa.Column("connector", sa.String(500)),
        sa.Column("failure_class", sa.String(100)),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    for column in ("time", "type"):
        op.create_index(f"audit_events_by_{column}", "audit_events", [column, "seq"])
    for column in ("session", "action", "connector", "failure_class"):
        present = sa.column(column).is_not(None)
        op.create_index(
            f"audit_events_by_{column}",
            "audit_events",
            [column, "seq"],
            sqlite_where=present,
            postgresql_where=present,
        )
    op.create_table(
        "audit_checkpoints",
        sa.Column("seq", sequence, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(200), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("end_reason", sa.String(500)),
        sa.Column("capabilities", sa.Text, nullable=False),
    )
    op.create_index("sessions_by_end", "sessions", ["ended_ms", "created_ms"])
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("session", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(200), nullable=False),
        sa.Column("action_version", sa.String(200), nullable=False),
        sa.Column("action_hash", sa.String(80), nullable=False),
        sa.Column("connector_hashes", sa.Text, nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        sa.Column("decided_ms", sa.BigInteger),
        sa.Column("decided_by", sa.String(200)),
        sa.Column("decision_reason", sa.Text),
        sa.Column("execution", sa.String(40)),
        sa.Column("started_ms", sa.BigInteger),
        sa.Column("finished_ms", sa.BigInteger),
        sa.Column("outcome", sa.Text),
        sa.Column("request_audit_id", sa.String(40), nullable=False),
    )
    op.create_index("approvals_by_state", "approvals", ["state", "created_ms"])
    op.create_index("approvals_by_session", "approvals", ["session", "created_ms"])
    op.create_table(
        "open_executions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("session", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(200), nullable=False),
        sa.Column("approval", sa.String(40)),
        sa.Column("step", sa.String(200), nullable=False),
        sa.Column("may_have_left", sa.Boolean, nullable=False),
        sa.Column("started_ms", sa.BigInteger, nullable=False),
        sa.Column("started_audit_id", sa.String(40), nullable=False),
    )
