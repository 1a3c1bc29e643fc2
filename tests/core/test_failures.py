import json

from hypothesis import given
from hypothesis import strategies as st

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


def test_a_document_error_reads_as_a_place_a_problem_and_a_remedy() -> None:
    error = DocumentError(file="a.md", line=3, problem="It is wrong.", remedy="Make it right.")
    assert str(error) == "a.md:3: It is wrong. Make it right."
    assert str(DocumentError(file="a.md", line=None, problem="It is wrong.", remedy="")) == "a.md: It is wrong."
