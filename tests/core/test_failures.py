import contextlib
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.attempts import AttemptRecord
from daemon.core.failures import Boundary, DocumentError, Failure, FailureClass


def test_the_envelope_has_the_documented_form() -> None:
    failure = Failure(FailureClass.NOT_FOUND, "There is no such action.", boundary=Boundary.ACTION, details={"a": 1})
    assert json.loads(json.dumps(failure.with_audit_id("aud_1").envelope())) == {
        "error": {
            "class": "not_found",
            "message": "There is no such action.",
            "retriable": False,
            "boundary": "action",
            "audit_id": "aud_1",
            "details": {"a": 1},
        }
    }


def test_the_lists_of_classes_and_boundaries_are_closed() -> None:
    assert {name.value for name in FailureClass} == {
        "capability_denied", "binding_required", "binding_failed", "resource_limit_exceeded", "connector_runtime_error",
        "network_error", "external_api_error", "hash_mismatch", "signature_failure", "approval_denied",
        "approval_expired", "approval_void", "outcome_unknown", "vault_locked", "invalid_arguments", "not_found",
        "audit_unavailable", "internal_error",
    }  # fmt: skip
    assert {name.value for name in Boundary} == {
        "action", "connector_manifest", "sandbox", "runtime", "external", "user",
    }  # fmt: skip


@given(
    st.sampled_from(FailureClass),
    st.sampled_from(Boundary),
    st.text(),
    st.booleans(),
    st.none() | st.text(),
    st.dictionaries(st.text(), st.integers() | st.text()),
)
def test_a_stored_envelope_gives_the_same_failure_back(
    failure_class: FailureClass,
    boundary: Boundary,
    message: str,
    retriable: bool,
    audit_id: str | None,
    details: dict[str, int | str],
) -> None:
    failure = Failure(
        failure_class, message, boundary=boundary, retriable=retriable, audit_id=audit_id, details=details
    )
    again = Failure.from_envelope(json.loads(json.dumps(failure.envelope())))
    assert again.envelope() == failure.envelope()


def test_details_belong_to_one_failure() -> None:
    details = {"a": 1}
    failure = Failure(FailureClass.NOT_FOUND, "", boundary=Boundary.USER, details=details)
    details["b"] = 2
    assert failure.details == {"a": 1}


@pytest.mark.parametrize("name", ["message", "details", "audit_id", "retriable", "failure_class", "attempts"])
def test_a_failure_does_not_change(name: str) -> None:
    failure = Failure(FailureClass.NOT_FOUND, "No.", boundary=Boundary.USER, details={"a": 1})
    before = failure.envelope()
    with pytest.raises(AttributeError):
        setattr(failure, name, None)
    with pytest.raises(TypeError):
        failure.details["a"] = 2  # type: ignore[index]
    assert failure.envelope() == before


def test_what_is_added_on_the_way_is_a_new_failure_of_the_same_kind() -> None:
    class Special(Failure):
        def __init__(self, word: str) -> None:
            super().__init__(FailureClass.NOT_FOUND, word, boundary=Boundary.USER, details={"a": 1})

    first = Special("No.")
    attempt = AttemptRecord(1, "GET", "h", "/", 200, None, bytes_sent=True, ms=1)
    last = first.with_details({"b": 2}).with_audit_id("aud_1").with_attempts([attempt])
    assert isinstance(last, Special)
    assert str(last) == "No."
    assert (last.audit_id, last.attempts) == ("aud_1", (attempt,))
    assert last.details == {"a": 1, "b": 2, "attempts": [attempt.as_json()]}
    assert (first.audit_id, first.attempts, first.details) == (None, (), {"a": 1})


def test_a_failure_goes_through_context_managers_and_tasks_like_any_exception() -> None:
    @contextlib.contextmanager
    def around() -> Iterator[None]:
        yield

    with pytest.raises(Failure), around():
        raise Failure(FailureClass.NOT_FOUND, "No.", boundary=Boundary.USER).with_audit_id("aud_1")


def test_a_document_error_reads_as_a_place_a_problem_and_a_remedy() -> None:
    error = DocumentError(file="a.md", line=3, problem="It is wrong.", remedy="Make it right.")
    assert str(error) == "a.md:3: It is wrong. Make it right."
    assert str(DocumentError(file="a.md", line=None, problem="It is wrong.", remedy="")) == "a.md: It is wrong."
