"""Installing, trusting, revoking, removing: what a person agreed to is what is there, and all of it is on record."""

import asyncio
import json
from pathlib import Path

import pytest
from guests import Does
from releases import Signer
from room import NAME, Room, requirement
from waiting import eventually

from daemon.connectors.errors import InstallError
from daemon.connectors.verdict import SignatureState
from daemon.core.failures import Failure, FailureClass
from daemon.core.fqn import Fqn
from daemon.core.principal import Means, Principal

YOU = Principal.person(Means.CLI)

OPS = {"echo": Does(end="arguments")}
ACME = Signer("acme")


async def trust(room: Room, signer: Signer = ACME, namespace: str = "github://acme") -> str:
    key = await room.service.trust_key(
        signer.public, label="Acme", namespaces=[namespace], actor=YOU, session="ses_test"
    )
    return key.key_id


async def install(room: Room, source: Path, **how: object) -> None:
    options = {"allow_unsigned": False, "consent": True, "expected_hash": None, "actor": YOU, "session": None} | how
    await room.service.install(str(source), **options)  # type: ignore[arg-type]


async def refusal(room: Room, source: Path, **how: object) -> Failure:
    with pytest.raises(InstallError) as caught:
        await install(room, source, **how)
    assert room.store.hashes() == ()
    return caught.value


async def test_a_plan_shows_everything_a_person_agrees_to_and_installs_nothing(room: Room) -> None:
    source = room.lay_out(OPS, credential=True, idempotent=False, limits='memory = "32MiB"\ntime = "5s"')
    plan = (await room.service.inspect_source(str(source))).as_json()
    assert (plan["name"], plan["version"], plan["installed"], plan["warnings"]) == (NAME, "1.0.0", False, [])
    assert plan["hosts"] == plan["credential"]["hosts"] == [room.up.host_port]
    assert (plan["credential"]["kind"], plan["credential"]["header"]) == ("api_key", "Authorization")
    assert (plan["ops"][0]["name"], plan["ops"][0]["idempotent"]) == ("echo", False)
    assert plan["signature"]["state"] == "unsigned"
    assert plan["limits"] == {"memory_bytes": 32 * 2**20, "time_seconds": 5.0}
    json.dumps(plan, allow_nan=False)
    assert room.store.hashes() == ()
    assert room.events("consent.granted") == []


async def test_an_install_is_stopped_until_it_is_committed_and_leaves_nothing_but_a_line_in_the_log(room: Room) -> None:
    source = room.lay_out(OPS)
    plan = await room.service.inspect_source(str(source))
    assert plan.program_bytes > 0
    assert not room.service.stop_install(plan.hash), "there is none"
    how = {"allow_unsigned": True, "expected_hash": plan.hash}
    going_on = asyncio.ensure_future(install(room, source, **how))
    await eventually(lambda: room.service.stop_install(plan.hash))
    with pytest.raises(InstallError, match="It was stopped, and nothing of it was installed"):
        await going_on
    assert room.store.hashes() == ()
    assert "It was stopped" in room.events("connector.install_refused")[-1].payload
    assert room.events("consent.granted") == []
    await install(room, source, **how)
    assert room.store.hashes() == (plan.hash,)
    assert not room.service.stop_install(plan.hash), "it is too late"


async def test_an_install_by_a_trusted_key_is_on_record_with_what_was_consented_to(room: Room) -> None:
    key_id = await trust(room)
    pinned = await room.install(room.lay_out(OPS, signer=ACME), allow_unsigned=False)
    consent = json.loads(room.events("consent.granted")[-1].payload)
    assert consent["aileron.consent.kind"] == "connector.install"
    assert consent["aileron.consent.hosts"] == [room.up.host_port]
    installed = room.payload("connector.installed")
    assert installed["aileron.connector.hash"] == pinned.hash
    assert (installed["aileron.connector.signature"], installed["aileron.connector.key_id"]) == ("trusted", key_id)
    (shown,) = await room.service.list()
    assert (shown.state, shown.as_json()["signature"]) == ("ready", {"state": "trusted", "key_id": key_id})
    assert (await room.call(pinned, "echo")).value == {}


async def test_without_a_trusted_signature_nothing_is_installed_unless_it_is_said_to_be_meant(room: Room) -> None:
    for signer in (None, ACME):
        failure = await refusal(room, room.lay_out(OPS, signer=signer))
        assert failure.failure_class is FailureClass.SIGNATURE_FAILURE
    refused = room.events("connector.install_refused")
    assert [event.failure_class for event in refused] == ["signature_failure"] * 2
    await install(room, room.lay_out(OPS), allow_unsigned=True)
    (shown,) = await room.service.list()
    assert shown.as_json()["allow_unsigned"] is True
    assert json.loads(room.events("consent.granted")[-1].payload)["aileron.consent.allow_unsigned"] is True


async def test_a_key_of_another_namespace_does_not_count(room: Room) -> None:
    await trust(room, namespace="github://acme-evil")
    failure = await refusal(room, room.lay_out(OPS, signer=ACME))
    assert failure.failure_class is FailureClass.SIGNATURE_FAILURE
    assert "github://acme-evil only" in failure.message


async def test_a_revoked_key_never_installs(room: Room) -> None:
    key_id = await trust(room)
    await room.service.revoke_key(key_id, reason="stolen", actor=YOU, session=None)
    failure = await refusal(room, room.lay_out(OPS, signer=ACME), allow_unsigned=True)
    assert "revoked: stolen" in failure.message


async def test_content_that_changed_after_it_was_shown_is_not_installed(room: Room) -> None:
    source = room.lay_out(OPS)
    plan = await room.service.inspect_source(str(source))
    (source / "manifest.toml").write_text((source / "manifest.toml").read_text() + "\n# changed\n")
    failure = await refusal(room, source, allow_unsigned=True, expected_hash=plan.hash)
    assert failure.failure_class is FailureClass.HASH_MISMATCH
    assert room.events("consent.granted") == []


async def test_without_consent_nothing_is_installed(room: Room) -> None:
    failure = await refusal(room, room.lay_out(OPS), allow_unsigned=True, consent=False)
    assert failure.failure_class is FailureClass.APPROVAL_DENIED
    assert failure.details["plan"]["name"] == NAME


@pytest.mark.parametrize("declared", [{}, {"other": OPS["echo"]}, {**OPS, "more": OPS["echo"]}])
async def test_a_program_and_a_manifest_that_name_other_operations_are_refused(
    room: Room, declared: dict[str, Does]
) -> None:
    failure = await refusal(room, room.lay_out(OPS, declared=declared or {"x": OPS["echo"]}), allow_unsigned=True)
    assert "do not name the same operations" in failure.message


async def test_a_program_that_asks_for_more_than_the_world_is_refused(room: Room) -> None:
    source = room.lay_out(OPS)
    (source / "connector.wasm").write_bytes(b"\0asm\x01\0\0\0")
    failure = await refusal(room, source, allow_unsigned=True)
    assert failure.failure_class is FailureClass.CONNECTOR_RUNTIME_ERROR
    assert room.events("connector.install_refused")


async def test_a_broken_manifest_names_the_file_and_the_line(room: Room) -> None:
    source = room.lay_out(OPS)
    (source / "manifest.toml").write_text("[connector]\nname = 'nope'\n")
    failure = await refusal(room, source, allow_unsigned=True)
    assert "manifest.toml" in failure.message
    assert failure.details["line"] is not None


@pytest.mark.parametrize("source", ["", "\ud800", "a\nb", "github://acme/slack@1.0.0", "/nowhere/at/all"])
async def test_a_source_that_cannot_be_read_is_refused_and_on_record(room: Room, source: str) -> None:
    await refusal(room, source)  # type: ignore[arg-type]
    assert len(room.events("connector.install_refused")) == 1


async def test_a_plan_of_a_bad_source_is_an_install_error(room: Room) -> None:
    with pytest.raises(InstallError):
        await room.service.inspect_source("github://acme/slack")


async def test_installing_the_same_content_twice_at_once_leaves_one(room: Room) -> None:
    source = room.lay_out(OPS)
    await asyncio.gather(*(install(room, source, allow_unsigned=True) for _ in range(3)))
    assert len(await room.service.list()) == 1
    new = [json.loads(event.payload)["aileron.connector.new"] for event in room.events("connector.installed")]
    assert sorted(new) == [False, False, True]


async def test_a_version_with_other_content_is_installed_beside_the_first_with_a_warning(room: Room) -> None:
    first = await room.install(room.lay_out(OPS))
    other = room.lay_out({"echo": Does(end="ok", text="2")})
    plan = await room.service.inspect_source(str(other))
    assert first.hash in plan.warnings[0]
    second = await room.install(other)
    assert (await room.call(first, "echo")).value == {}
    assert (await room.call(second, "echo")).value == 2
    with pytest.raises(Failure, match="name one by its hash"):
        await room.service.remove(NAME, actor=YOU, session=None)


async def test_without_an_audit_log_nothing_is_installed(room: Room) -> None:
    source = room.lay_out(OPS)
    await room.audit.close()
    with pytest.raises(Failure) as caught:
        await install(room, source, allow_unsigned=True)
    assert caught.value.failure_class is FailureClass.AUDIT_UNAVAILABLE
    assert room.store.hashes() == ()


async def test_a_changed_connector_does_not_run(room: Room) -> None:
    pinned = await room.install(room.lay_out(OPS))
    await room.call(pinned, "echo")
    path = room.store._folder(pinned.hash) / "connector.wasm"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"\x0c")
    failure = await room.fails(pinned, "echo")
    assert failure.failure_class is FailureClass.HASH_MISMATCH
    with pytest.raises(Failure):
        await room.service.check(pinned)
    (shown,) = await room.service.list()
    assert shown.state == "damaged"
    assert (await room.service.remove(pinned.hash, actor=YOU, session=None)).hash == pinned.hash


async def test_a_revoked_key_stops_what_it_signed_at_once_and_after_a_restart(room: Room) -> None:
    key_id = await trust(room)
    pinned = await room.install(room.lay_out(OPS, signer=ACME), allow_unsigned=False)
    await room.call(pinned, "echo")
    await room.service.revoke_key(key_id, reason="stolen", actor=YOU, session="ses_test")
    failure = await room.fails(pinned, "echo")
    assert failure.failure_class is FailureClass.SIGNATURE_FAILURE
    assert "stolen" in failure.message
    assert (await room.service.list())[0].state == "refused"
    assert room.payload("connector.key_revoked")["aileron.key.revoked_reason"] == "stolen"


async def test_revoking_a_key_also_stops_what_it_signed_before_anybody_trusted_it(room: Room) -> None:
    pinned = await room.install(room.lay_out(OPS, signer=ACME))
    other = await room.install(room.lay_out(OPS, version="2.0.0", folder="unsigned"))
    key_id = await trust(room)
    await room.call(pinned, "echo")
    await room.service.revoke_key(key_id, reason="stolen", actor=YOU, session=None)
    assert (await room.fails(pinned, "echo")).failure_class is FailureClass.SIGNATURE_FAILURE
    await room.call(other, "echo")


async def test_a_damaged_keyring_lets_nothing_run(room: Room) -> None:
    pinned = await room.install(room.lay_out(OPS))
    room.keyring.__init__(  # type: ignore[misc]
        path=room.folder / "release", clock=room.keyring._clock
    )
    assert (await room.fails(pinned, "echo")).failure_class is FailureClass.SIGNATURE_FAILURE


async def test_a_key_that_was_taken_out_of_the_keyring_does_not_count_any_more(room: Room) -> None:
    await trust(room)
    pinned = await room.install(room.lay_out(OPS, signer=ACME), allow_unsigned=False)
    room.keyring._keys = {}
    assert (await room.fails(pinned, "echo")).failure_class is FailureClass.SIGNATURE_FAILURE


async def test_trusting_a_key_is_consent_and_on_record(room: Room) -> None:
    key_id = await trust(room)
    assert room.payload("consent.granted")["aileron.consent.kind"] == "connector.trust_key"
    assert room.payload("connector.key_trusted")["aileron.key.id"] == key_id
    with pytest.raises(Failure):
        await room.service.trust_key("nonsense", label="x", namespaces=["github://a"], actor=YOU, session=None)
    assert len(room.events("consent.granted")) == 1


async def test_what_is_not_installed_says_how_to_install_it(room: Room) -> None:
    with pytest.raises(Failure, match="aileron connector add") as caught:
        await room.service.check(requirement())
    assert caught.value.failure_class is FailureClass.NOT_FOUND
    pinned = await room.install(room.lay_out(OPS))
    with pytest.raises(Failure, match="not with the content") as caught:
        await room.service.check(requirement())
    assert caught.value.failure_class is FailureClass.HASH_MISMATCH
    with pytest.raises(Failure, match="belongs to") as caught:
        await room.service.check(requirement(version="9.9.9", content_hash=pinned.hash))
    assert caught.value.failure_class is FailureClass.HASH_MISMATCH


async def test_connectors_are_found_by_hash_by_name_and_by_version(room: Room) -> None:
    old = await room.install(room.lay_out(OPS))
    new = await room.install(room.lay_out(OPS, version="1.10.0"))
    for ref, pinned in ((old.hash, old), (f"{NAME}@1.0.0", old), (NAME, new), (f"{NAME}@1.10.0", new)):
        assert (await room.service.show(ref)).hash == pinned.hash
    assert str((await room.service.newest(Fqn.parse(NAME))).version) == "1.10.0"
    for ref in ("", "x", f"{NAME}@3.0.0", "github://acme/other"):
        with pytest.raises(Failure) as caught:
            await room.service.show(ref)
        assert caught.value.failure_class is FailureClass.NOT_FOUND
    with pytest.raises(Failure):
        await room.service.newest(Fqn.parse("github://acme/other"))


async def test_a_removed_connector_does_not_run_and_the_removal_is_on_record(room: Room) -> None:
    pinned = await room.install(room.lay_out(OPS))
    await room.call(pinned, "echo")
    gone = await room.service.remove(f"{NAME}@1.0.0", actor=YOU, session="ses_test")
    assert gone.hash == pinned.hash
    assert (await room.fails(pinned, "echo")).failure_class is FailureClass.NOT_FOUND
    assert room.payload("connector.removed")["aileron.connector.version"] == "1.0.0"


async def test_the_store_remembers_how_a_connector_came_in(room: Room) -> None:
    pinned = await room.install(room.lay_out(OPS, signer=ACME))
    stored = room.store.verified(pinned.hash)
    assert stored is not None
    assert (stored.record.signature, stored.record.actor) == (SignatureState.UNTRUSTED, "person:owner")
    assert stored.record.source.endswith("/release")
