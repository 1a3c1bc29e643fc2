"""Reading the log: every filter alone and together, pages without gaps, and no filter that walks the whole table."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert

from daemon.audit.checkpoint import Head
from daemon.audit.events import GENESIS, chain_hash
from daemon.audit.export import ExportedHead, export_events, export_head
from daemon.audit.query import EventFilter, StoredEvent, get_event, query_events, statements
from daemon.audit.signing import CheckpointSigner, SigningKeyError, signature_holds
from daemon.base.clock import rfc3339
from daemon.db.engine import open_engine
from daemon.db.migration import migrate
from daemon.db.tables import audit_events, audit_index

COUNT = 60
TYPES = ("execution.started", "execution.failed", "execution", "executions.x", "session.started")


def make_events() -> list[StoredEvent]:
    """Return events of all kinds; the clock was set back in the middle."""
    events = []
    digest = GENESIS
    for seq in range(1, COUNT + 1):
        fields = (
            seq,
            f"aud_{seq}",
            rfc3339((seq if seq < 30 else seq - 10) * 1000),
            TYPES[seq % 5],
            f"ses_{seq % 3}" if seq % 4 else None,
            "agent",
            (f"act-{seq % 2}" if seq % 5 else "hub/read__all") if seq % 3 else None,
            "github://acme/slack" if seq % 7 == 0 else None,
            "network_error" if seq % 11 == 0 else None,
            "{}",
            digest,
        )
        digest = chain_hash(*fields)
        events.append(StoredEvent(**dict(zip(StoredEvent.__slots__, (*fields, digest), strict=True))))
    return events


EVENTS = make_events()


@pytest.fixture(scope="module", params=[0, 41, COUNT], ids=["nothing filed", "a part filed", "all filed"])
def engine(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("log")
    migrate(folder / "a.db", backups=folder / "backups", now_ms=1)
    made = open_engine(folder / "a.db")
    with made.begin() as connection:
        rows = [{name: getattr(e, name) for name in StoredEvent.__slots__} for e in EVENTS]
        connection.execute(insert(audit_events), rows)
        filed = [{column.name: row[column.name] for column in audit_index.columns} for row in rows[: request.param]]
        if filed:
            connection.execute(insert(audit_index), filed)
    yield made
    made.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as opened:
        yield opened


def fits(event: StoredEvent, wanted: EventFilter) -> bool:
    """Say the same as the query, in the plainest way."""
    kind = wanted.type or ""
    return (
        (wanted.after_seq is None or event.seq > wanted.after_seq)
        and (wanted.before_seq is None or event.seq < wanted.before_seq)
        and (wanted.since is None or event.time >= wanted.since)
        and (wanted.until is None or event.time < wanted.until)
        and (wanted.session is None or event.session == wanted.session)
        and (wanted.action is None or event.action in {wanted.action, wanted.action.replace("__", "/", 1)})
        and (wanted.connector is None or event.connector == wanted.connector)
        and (wanted.failure_class is None or event.failure_class == wanted.failure_class)
        and (not kind or (event.type.startswith(kind[:-1]) if kind.endswith(".*") else event.type == kind))
    )


def maybe(*values: object) -> st.SearchStrategy[object]:
    return st.none() | st.sampled_from(values)


FILTERS = st.builds(
    EventFilter,
    after_seq=st.none() | st.integers(-1, COUNT + 1),
    before_seq=st.none() | st.integers(-1, COUNT + 2),
    since=st.none() | st.integers(0, COUNT).map(lambda s: rfc3339(s * 1000)),
    until=st.none() | st.integers(0, COUNT).map(lambda s: rfc3339(s * 1000)),
    session=maybe("ses_0", "ses_1", "ses_9"),
    type=maybe("execution.*", "execution", "execution.started", "ex.*"),
    action=maybe("act-0", "act-1", "hub/read__all", "hub__read__all"),
    connector=maybe("github://acme/slack"),
    failure_class=maybe("network_error"),
    limit=st.none() | st.integers(1, 20),
    newest_first=st.booleans(),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=FILTERS)
def test_a_query_returns_what_fits_the_filter_and_nothing_else(connection: Connection, wanted: EventFilter) -> None:
    ordered = sorted(EVENTS, key=lambda e: e.seq, reverse=wanted.newest_first)
    assert query_events(connection, wanted) == [e for e in ordered if fits(e, wanted)][: wanted.limit]


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_cover_everything_once(connection: Connection, newest_first: bool) -> None:
    wanted = EventFilter(type="execution.*", limit=7, newest_first=newest_first)
    seen: list[int] = []
    while page := query_events(connection, wanted):
        seen += [event.seq for event in page]
        wanted = replace(wanted, **{"before_seq" if newest_first else "after_seq": page[-1].seq})
    assert seen == sorted((e.seq for e in EVENTS if e.type.startswith("execution.")), reverse=newest_first)


def test_a_tool_of_a_server_is_found_by_the_name_that_rules_have_for_it(connection: Connection) -> None:
    found = query_events(connection, EventFilter(action="hub__read__all"))
    assert found == query_events(connection, EventFilter(action="hub/read__all"))
    assert {event.action for event in found} == {"hub/read__all"}


@pytest.mark.parametrize(
    "wanted",
    [
        EventFilter(after_seq=5),
        EventFilter(before_seq=5, newest_first=True),
        EventFilter(since="2026-01-01T00:00:00.000Z"),
        EventFilter(until="2026-01-01T00:00:00.000Z", newest_first=True),
        EventFilter(session="ses_1", newest_first=True),
        EventFilter(type="execution.started"),
        EventFilter(type="execution.*", newest_first=True),
        EventFilter(action="act-1"),
        EventFilter(action="hub__read"),
        EventFilter(connector="github://acme/slack"),
        EventFilter(failure_class="network_error", after_seq=3),
        EventFilter(session="ses_1", type="execution.*", since="2026-01-01T00:00:00.000Z"),
    ],
)
def test_no_filter_walks_the_whole_table(connection: Connection, wanted: EventFilter) -> None:
    for query in statements(connection, wanted):
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        assert any("SEARCH audit_" in step for step in plan), plan
        assert not any(step.startswith("SCAN") or step == "SEARCH timed" for step in plan), plan


def test_an_event_is_found_by_its_id(connection: Connection) -> None:
    assert get_event(connection, "aud_17") == EVENTS[16]
    assert get_event(connection, "aud_170") is None
    plan = list(connection.exec_driver_sql("EXPLAIN QUERY PLAN SELECT * FROM audit_events WHERE id = 'x'"))
    assert "INDEX" in plan[0][3]


def test_an_export_has_all_that_fits_in_the_order_it_was_written(connection: Connection) -> None:
    exported = list(export_events(connection, EventFilter(session="ses_1", limit=3, newest_first=True)))
    assert exported == [e for e in EVENTS if e.session == "ses_1"]


def test_an_exported_head_survives_its_file_form_and_its_signature_holds(tmp_path: Path) -> None:
    signer = CheckpointSigner.open(tmp_path / "ca" / "audit.key")
    head = export_head(Head(COUNT, EVENTS[-1].hash, "2026-11-20T22:00:00.000Z"), signer=signer)
    assert ExportedHead.from_json(head.as_json()) == head
    assert (head.seq, head.hash) == (COUNT, EVENTS[-1].hash)
    parts = {"seq": head.seq, "head": head.hash, "time": head.time}
    assert signature_holds(signer.public_key, head.signature, purpose="head", **parts)
    assert not signature_holds(signer.public_key, head.signature, purpose="checkpoint", **parts)


@pytest.mark.parametrize("change", [{"seq": "1"}, {"seq": True}, {"hash": None}, {"signature": 1}])
def test_what_is_no_head_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    head = export_head(Head(), signer=CheckpointSigner.open(tmp_path / "audit.key")).as_json()
    with pytest.raises(ValueError, match="missing or of the wrong type"):
        ExportedHead.from_json({**head, **change})


def test_the_signing_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "ca" / "audit.key"
    first = CheckpointSigner.open(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert CheckpointSigner.open(path).public_key == first.public_key
    assert first.public_keys() == {first.key_id: first.public_key}


@pytest.mark.parametrize("content", [b"", b"no key", b"\xff" * 40])
def test_a_key_file_that_is_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "audit.key"
    path.write_bytes(content)
    with pytest.raises(SigningKeyError, match=r"audit\.key"):
        CheckpointSigner.open(path)
    assert path.read_bytes() == content
