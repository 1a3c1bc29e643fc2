"""The tables, in types that every database has; times are Unix milliseconds, in the audit log text."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

# SQLite keeps a table in the order of a primary key only if its type is spelled INTEGER (which holds 64 bits there);
# with any other spelling it adds a second index that every append and every walk pays for.
_Sequence = BigInteger().with_variant(Integer, "sqlite")

audit_events = Table(
    "audit_events",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=False),
    Column("id", String(40), nullable=False, unique=True),
    Column("time", String(32), nullable=False),
    Column("type", String(100), nullable=False),
    Column("session", String(40)),
    Column("actor", String(200), nullable=False),
    Column("action", String(200)),
    Column("connector", String(500)),
    Column("failure_class", String(100)),
    Column("payload", Text, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

audit_index = Table(  # what filters find events by; it is behind the log by some hundred events
    "audit_index",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=False),
    Column("time", String(32), nullable=False),
    Column("type", String(100), nullable=False),
    Column("session", String(40)),
    Column("action", String(200)),
    Column("connector", String(500)),
    Column("failure_class", String(100)),
    Index("audit_index_by_time", "time", "seq"),
    Index("audit_index_by_type", "type", "seq"),
)
# Many events have none of these; the indexes hold the others only, and cost the rest nothing.
for _column in (
    audit_index.c.session,
    audit_index.c.action,
    audit_index.c.connector,
    audit_index.c.failure_class,
):
    Index(
        f"audit_index_by_{_column.name}",
        _column,
        audit_index.c.seq,
        sqlite_where=_column.is_not(None),
        postgresql_where=_column.is_not(None),
    )

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("time", String(32), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("signature", String(200), nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("label", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("end_reason", String(500)),
    Column("capabilities", Text, nullable=False),
    Column("owner_pid", Integer),
    Column("owner_identity", String(200)),
    Column("opened_by", String(200)),  # empty, as what follows, in what older versions wrote
    Column("opened_with", String(20)),
    Index("sessions_by_end", "ended_ms", "created_ms"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("session", String(40), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("name", String(200), nullable=False),
    Column("subject", Text, nullable=False),  # what the approval is bound to beside session and arguments, as JSON
    Column("arguments", Text, nullable=False),
    Column("digest", String(80), nullable=False),
    Column("state", String(20), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("decided_ms", BigInteger),
    Column("decided_by", String(200)),
    Column("decided_with", String(20)),  # empty, as `asked_with`, in what older versions wrote
    Column("decision_reason", Text),
    Column("execution", String(40)),
    Column("started_ms", BigInteger),
    Column("finished_ms", BigInteger),
    Column("outcome", Text),
    Column("request_audit_id", String(40), nullable=False),
    Column("asked_with", String(20)),
    Index("approvals_by_state", "state", "created_ms"),
    Index("approvals_by_session", "session", "created_ms"),
)

open_executions = Table(
    "open_executions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("session", String(40), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("name", String(200), nullable=False),
    Column("approval", String(40)),
    Column("stage", String(200), nullable=False),
    Column("may_have_left", Boolean, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("started_audit_id", String(40), nullable=False),
    sqlite_with_rowid=False,  # one tree for SQLite to write, and not a second one for the key; each run writes it twice
)

server_looks = Table(  # the servers whose tools were looked at once
    "server_looks",
    metadata,
    Column("server", String(100), primary_key=True),
    Column("first_ms", BigInteger, nullable=False),
)

server_tools = Table(
    "server_tools",
    metadata,
    Column("server", String(100), primary_key=True),
    Column("tool", String(512), primary_key=True),  # as the server calls it
    Column("record", String(300), nullable=False),  # as the log and rules call it
    Column("state", String(20), nullable=False),
    Column("accepted", Text),  # the definition that may be called, as canonical JSON
    Column("pending", Text),  # the definition that waits for a person
    Column("first_ms", BigInteger, nullable=False),
    Column("accepted_ms", BigInteger),
    Column("accepted_by", String(200)),
)

server_tool_names = Table(  # a row is never changed or removed, so that no name is given to another tool
    "server_tool_names",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("prefix", String(100), nullable=False),
    Column("server", String(100), nullable=False),
    Column("tool", String(512), nullable=False),
    UniqueConstraint("prefix", "server", "tool", name="server_tool_names_once"),
)
