from dataclasses import replace
from pathlib import Path

import pytest

from daemon.core.action import Action
from daemon.core.action_parser import parse_action
from daemon.core.capabilities import check_action_capability, check_op, validate_against_manifest
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.manifest import Manifest
from daemon.core.manifest_parser import parse_manifest
from daemon.core.semver import Version

DATA = Path(__file__).parents[1] / "data"
SHIP = (DATA / "actions" / "ship-update.md").read_text(encoding="utf-8")
REPORT = (DATA / "actions" / "file-report.md").read_text(encoding="utf-8")


def manifest(name: str) -> Manifest:
    return parse_manifest((DATA / "manifests" / f"{name}.toml").read_text(encoding="utf-8"), file=name)


def ship(old: str = "", new: str = "") -> Action:
    return parse_action(SHIP.replace(old, new) if old else SHIP, file="<text>")


def test_the_sample_actions_fit_the_sample_manifests() -> None:
    report = parse_action(REPORT, file="<text>")
    assert validate_against_manifest(ship(), manifest("slack")) == []
    assert validate_against_manifest(report, manifest("tracker")) == []
    assert validate_against_manifest(report, manifest("clock")) == []


def test_a_declared_operation_passes() -> None:
    check_action_capability(ship(), ship().steps[0], manifest("slack"))
    assert check_op(manifest("slack"), "post_message").capability == "chat:write"


def test_an_operation_the_connector_does_not_have_is_denied_at_the_manifest() -> None:
    with pytest.raises(Failure, match="Did you mean 'post_message'") as caught:
        check_op(manifest("slack"), "post_mesage")
    assert caught.value.failure_class is FailureClass.CAPABILITY_DENIED
    assert caught.value.boundary is Boundary.CONNECTOR_MANIFEST
    assert caught.value.details["ops"] == ["get_draft", "post_message"]
    with pytest.raises(Failure, match="It has 'get_draft', 'post_message'"):
        check_op(manifest("slack"), "zzz")


def test_a_capability_the_action_does_not_declare_is_denied_at_the_action() -> None:
    action = ship('capabilities = ["chat:write"]', 'capabilities = ["channels:read"]')
    with pytest.raises(
        Failure, match="needs the capability 'chat:write'; the action declares 'channels:read'"
    ) as caught:
        check_action_capability(action, action.steps[0], manifest("slack"))
    assert caught.value.failure_class is FailureClass.CAPABILITY_DENIED
    assert caught.value.boundary is Boundary.ACTION
    assert caught.value.details["capability"] == "chat:write"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('op = "post_message"', 'op = "post_mesage"', "does not have. Did you mean 'post_message'?"),
        ('op = "post_message"', 'op = "zzz"', "It has 'get_draft', 'post_message'."),
        ('capabilities = ["chat:write"]', "capabilities = []", "the action declares none"),
        ('channel = "${args.channel}"', 'chanel = "${args.channel}"', "gives 'post_message' the input 'chanel'"),
        ('channel = "${args.channel}"', "", "does not give 'post_message' the input 'channel'"),
        ('op = "get_draft"', 'op = "get_note"', "The preview uses 'get_note'"),
        ('op = "get_draft"', 'op = "post_message"', "is not idempotent"),
        ("args = { id =", "args = { ids =", "The preview gives 'get_draft' the input 'ids'"),
        ('args = { id = "${args.draft_id}" }', "", "The preview does not give 'get_draft' the input 'id'"),
        ('version = "1.2.0"', 'version = "1.2.1"', "requires github://acme/slack 1.2.1; this one is 1.2.0"),
        ("github://acme/slack", "github://acme/other", "does not require the connector github://acme/slack"),
    ],
)
def test_what_does_not_fit_the_manifest_is_listed(old: str, new: str, problem: str) -> None:
    assert any(problem in found for found in validate_against_manifest(ship(old, new), manifest("slack")))


def test_every_problem_is_listed_at_once() -> None:
    action = ship('capabilities = ["chat:write"]', "capabilities = []")
    other = replace(manifest("slack"), version=Version(9, 0, 0))
    assert len(validate_against_manifest(action, other)) == 3  # the version, the step and the preview
