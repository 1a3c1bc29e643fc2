"""What the version before wrote of approvals and runs is the same call afterwards, named as tools of any kind are."""

from pathlib import Path

import pytest
from former import make_former, put_approval, put_open_run
from sqlalchemy import select

from daemon.approvals.record import Approval
from daemon.core.account import Account
from daemon.core.subject import NamedHash, Subject, is_bound_to
from daemon.db import tables
from daemon.db.engine import open_engine
from daemon.db.migration import migrate

ACCOUNT = Account(connector="github://acme/slack", name="api_key/slack/work", kind="api_key", version=7, seal="5eal")
SUBJECT = Subject(
    kind="action",
    origin="github://acme/actions/ship@1.0.0",
    name="ship",
    version="1.0.0",
    definition="sha256:aa",
    depends_on=(NamedHash("github://acme/slack", "sha256:bb"),),
    accounts=(ACCOUNT,),
)
"""The call as this version prepares it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "aileron.db"
    make_former(made)
    return made


def approvals(path: Path) -> dict[str, Approval]:
    """Migrate, and return every approval."""
    migrate(path, backups=path.parent / "backups", now_ms=1)
    engine = open_engine(path)
    with engine.connect() as connection:
        found = [Approval.from_row(row) for row in connection.execute(select(tables.approvals))]
    engine.dispose()
    return {each.id: each for each in found}


def test_an_approval_stays_what_it_was_and_bound_to_the_same_call(path: Path) -> None:
    before = put_approval(path, "apr_1", state="approved", accounts=[ACCOUNT.as_json()])
    after = approvals(path)["apr_1"]
    assert (after.state.value, after.digest, after.arguments) == ("approved", before["digest"], {"n": 1})
    assert (after.action, after.action_version, after.action_hash) == ("ship", "1.0.0", "sha256:aa")
    assert after.as_json()["connectors"] == ["sha256:bb"]
    assert after.as_json()["accounts"] == [ACCOUNT.as_json()]
    assert after.names_accounts
    assert is_bound_to(after.digest, "ses_1", SUBJECT, {"n": 1})


def test_it_is_bound_to_no_other_call(path: Path) -> None:
    from dataclasses import replace

    digest = put_approval(path, "apr_1", accounts=[ACCOUNT.as_json()])["digest"]
    others = [
        replace(SUBJECT, definition="sha256:ab"),
        replace(SUBJECT, depends_on=()),
        replace(SUBJECT, accounts=()),
        replace(SUBJECT, accounts=(replace(ACCOUNT, version=8),)),
        replace(SUBJECT, kind="server"),
    ]
    assert not any(is_bound_to(digest, "ses_1", other, {"n": 1}) for other in others)
    assert not is_bound_to(digest, "ses_2", SUBJECT, {"n": 1})
    assert not is_bound_to(digest, "ses_1", SUBJECT, {"n": 2})


def test_one_that_names_no_accounts_is_still_known_as_such(path: Path) -> None:
    put_approval(path, "apr_1", accounts=None)
    after = approvals(path)["apr_1"]
    assert not after.names_accounts
    assert after.as_json()["accounts"] is None


def test_a_run_under_way_keeps_its_name_and_its_step(path: Path) -> None:
    put_open_run(path, "exe_1", approval="apr_1")
    migrate(path, backups=path.parent / "backups", now_ms=1)
    engine = open_engine(path)
    with engine.connect() as connection:
        (row,) = connection.execute(select(tables.open_executions)).all()
    engine.dispose()
    assert (row.kind, row.name, row.stage, row.approval, row.may_have_left) == ("action", "ship", "post", "apr_1", True)
