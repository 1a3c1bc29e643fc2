"""What an approval is bound to: any part of a call that changes makes another digest."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from daemon.core.account import Account
from daemon.core.subject import NamedHash, Subject, call_digest, former_digest, is_bound_to

ACCOUNT = Account(connector="github://acme/slack", name="api_key/slack/work", kind="api_key", version=7, seal="5eal")
SUBJECT = Subject(
    kind="action",
    origin="local",
    name="ship",
    version="1.0.0",
    definition="sha256:aa",
    depends_on=(NamedHash("github://acme/slack", "sha256:bb"), NamedHash("github://acme/mail", "sha256:cc")),
    accounts=(ACCOUNT,),
)
ARGUMENTS: dict[str, Any] = {"channel": "#eng", "count": 1}

OTHERS = [
    replace(SUBJECT, kind="server"),
    replace(SUBJECT, origin="github://acme/actions"),
    replace(SUBJECT, name="ship-it"),
    replace(SUBJECT, version="1.0.1"),
    replace(SUBJECT, definition="sha256:ab"),
    replace(SUBJECT, depends_on=tuple(reversed(SUBJECT.depends_on))),
    replace(SUBJECT, depends_on=SUBJECT.depends_on[:1]),
    replace(SUBJECT, depends_on=(NamedHash("github://acme/other", "sha256:bb"), SUBJECT.depends_on[1])),
    replace(SUBJECT, accounts=()),
    replace(SUBJECT, accounts=(ACCOUNT, ACCOUNT)),
    *(
        replace(SUBJECT, accounts=(replace(ACCOUNT, **change),))
        for change in (
            {"connector": "github://acme/mail"},
            {"name": "api_key/slack/home"},
            {"kind": "basic"},
            {"version": 8},
            {"seal": "0ther"},
        )
    ),
]
OTHER_ARGUMENTS: list[dict[str, Any]] = [
    {"channel": "#eng", "count": "1"},
    {"channel": "#eng", "count": True},
    {"channel": "#eng"},
    {"channel": "#eng ", "count": 1},
]


def test_any_part_of_a_call_changes_its_digest() -> None:
    digests = {call_digest("ses_1", SUBJECT, ARGUMENTS), call_digest("ses_2", SUBJECT, ARGUMENTS)}
    digests |= {call_digest("ses_1", other, ARGUMENTS) for other in OTHERS}
    digests |= {call_digest("ses_1", SUBJECT, other) for other in OTHER_ARGUMENTS}
    assert len(digests) == 2 + len(OTHERS) + len(OTHER_ARGUMENTS)


def test_the_order_and_spelling_of_arguments_do_not_matter() -> None:
    same = call_digest("ses_1", SUBJECT, {"count": 1.0, "channel": "\u0023eng"})
    assert same == call_digest("ses_1", SUBJECT, ARGUMENTS)


def test_the_digest_of_a_known_call_stays_what_it_is() -> None:
    bound = {
        "arguments": ARGUMENTS,
        "digest": "aileron-approval-3",
        "session": "ses_1",
        "subject": {
            "accounts": [
                {
                    "connector": "github://acme/slack",
                    "kind": "api_key",
                    "name": "api_key/slack/work",
                    "seal": "5eal",
                    "version": 7,
                }
            ],
            "definition": "sha256:aa",
            "depends_on": [
                {"hash": "sha256:bb", "name": "github://acme/slack"},
                {"hash": "sha256:cc", "name": "github://acme/mail"},
            ],
            "kind": "action",
            "name": "ship",
            "origin": "local",
            "version": "1.0.0",
        },
    }
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"))
    assert call_digest("ses_1", SUBJECT, ARGUMENTS) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_the_digest_that_the_version_before_gave_to_a_known_call_is_worked_out_as_it_was() -> None:
    text = (
        '{"accounts":[{"connector":"github://acme/slack","kind":"api_key","name":"api_key/slack/work","seal":"5eal",'
        '"version":7}],"action":"sha256:aa","arguments":{"channel":"#eng","count":1},"connectors":["sha256:bb","sha256:cc"],'
        '"digest":"aileron-approval-2","session":"ses_1"}'
    )
    assert former_digest("ses_1", SUBJECT, ARGUMENTS) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("digest_of", [call_digest, former_digest])
def test_an_approval_is_bound_to_its_own_call_by_either_digest(digest_of: Any) -> None:
    digest = digest_of("ses_1", SUBJECT, ARGUMENTS)
    assert is_bound_to(digest, "ses_1", SUBJECT, ARGUMENTS)
    assert not is_bound_to(digest, "ses_2", SUBJECT, ARGUMENTS)
    assert not any(is_bound_to(digest, "ses_1", SUBJECT, other) for other in OTHER_ARGUMENTS)


def test_the_digest_of_before_is_good_for_actions_only() -> None:
    other = replace(SUBJECT, kind="server")
    assert not is_bound_to(former_digest("ses_1", other, ARGUMENTS), "ses_1", other, ARGUMENTS)


def test_a_stored_subject_gives_the_same_one_back() -> None:
    assert Subject.from_json(json.loads(json.dumps(SUBJECT.as_json()))) == SUBJECT
