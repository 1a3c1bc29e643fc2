"""Secrets of the host are planted, everything is run, and every place is searched for them, in every form."""

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from promises.test_promise_5_sealed import forms
from sandbox.engine import engine
from services.upstream import UpstreamProcess

from aileron_testing import AileronSandbox
from connectors.build import build

ACTION = """+++
name = "post-item"
version = "1.0.0"

[[requires.connectors]]
name = "file://acme/items"
version = "1.0.0"
hash = "{hash}"
capabilities = ["items:write"]

[[inputs]]
name = "text"
type = "string"
description = "What to post."

[approval]
required = true

[[execute]]
id = "post"
connector = "file://acme/items"
op = "post_json"
[execute.inputs]
url = "{url}/item"
body = {{ text = "${{args.text}}" }}
+++
# Post an item
"""

pytestmark = pytest.mark.docker
PROGRAM = """
curl -sS --cacert "$AILERON_CA_FILE" -H "Authorization: Bearer $AILERON_TOKEN" -H "Content-Type: application/json" \
  -d '{"arguments": {"text": "hello"}}' "$AILERON_URL/v1/actions/post-item/run"
aileron-mcp --version
env | grep -v ^AILERON_TOKEN=
find / -xdev -newer /run/aileron/ca.pem -type f -not -path '/proc/*' -exec cat {} + 2>/dev/null | grep -v AILERON_TOKEN
cat /proc/[0-9]*/cmdline /proc/self/mountinfo
echo ready
sleep 600
"""


@pytest.fixture
def planted(tmp_path: Path, images: dict[str, str]) -> Iterator[tuple[AileronSandbox, dict[str, str], Any]]:
    """Offer an installation with a bound key, a program that has used it and still runs, and what was planted."""
    key = f"sk-planted-{secrets.token_hex(16)}"
    with UpstreamProcess() as service:
        # A service that sends back what it was sent.
        service.behave("/item", json={"sent": key, "hex": key.encode().hex()})
        place = service.url.removeprefix("http://")
        connector = build("wellbehaved", tmp_path / "connector", hosts=[place], fqn="file://acme/items")
        with AileronSandbox(connectors=[connector], allow_private=[place]) as aileron:
            aileron.bind("file://acme/items", api_key=key)
            action = tmp_path / "post-item.md"
            free = ACTION.format(hash=aileron.installed["file://acme/items"], url=service.url)
            action.write_text(free.replace("required = true", "required = false"))
            aileron.install_action(action)
            workspace = tmp_path / "project"
            workspace.mkdir()
            run = aileron.start_program(["sh", "-c", PROGRAM], workspace=workspace)
            run.wait_for("ready")
            assert service.seen("/item"), run.stdout + run.stderr
            session_token = json.loads((aileron.home / "sandboxes" / run.session / "run" / "start.json").read_text())
            (discovery,) = aileron.home.rglob("daemon.json")
            master = json.loads(discovery.read_text())["token"]
            yield aileron, {"key": key, "session": session_token["token"], "master": master}, run


def what_the_engine_knows() -> dict[str, bytes]:
    """Return everything that the engine shows of what is ours: containers, networks, logs, changes, images."""
    client = engine()
    mine = {"label": "io.aileron.home"}
    found: dict[str, bytes] = {}
    try:
        deadline = time.monotonic() + 20
        while client.containers(all=True, filters={"label": "io.aileron.role=firewall"}):  # they come and go
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for each in client.containers(all=True, filters=mine):
            name = each["Names"][0]
            found[f"inspect {name}"] = json.dumps(client.inspect_container(each["Id"])).encode()
            found[f"diff {name}"] = json.dumps(client.diff(each["Id"])).encode()
            found[f"top {name}"] = json.dumps(client.top(each["Id"])).encode()
            if client.inspect_container(each["Id"])["HostConfig"]["LogConfig"]["Type"] != "none":
                found[f"logs {name}"] = client.logs(each["Id"])
            image = each["ImageID"]
            found[f"image {image}"] = json.dumps([client.inspect_image(image), client.history(image)]).encode()
        for each in client.networks(filters=mine):
            found[f"network {each['Name']}"] = json.dumps(each).encode()
    finally:
        client.close()
    return found


def test_no_secret_is_where_somebody_could_find_it(planted: tuple[AileronSandbox, dict[str, str], Any]) -> None:
    aileron, secret, run = planted
    artefacts = what_the_engine_knows()
    assert sum(name.startswith("inspect") for name in artefacts) >= 2
    artefacts["what the program saw"] = (run.stdout + run.stderr).encode()
    artefacts["the log"] = json.dumps(aileron.events()).encode()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            artefacts[str(place)] = place.read_bytes()
        except OSError:
            continue
    on_disk = {str(path): path.read_bytes() for path in aileron.home.rglob("*") if path.is_file()}
    allowed = {
        "key": set[str](),
        "master": {name for name in on_disk if name.endswith("/daemon.json")},
        "session": {name for name in on_disk if name.endswith("/run/start.json")},
    }
    for name, value in secret.items():
        found = {
            place
            for place, content in (artefacts | on_disk).items()
            if any(form in content for form in forms(value)) and place not in allowed[name]
        }
        assert found == set(), name
    assert (aileron.home / "sandboxes" / run.session / "run" / "start.json").stat().st_mode & 0o077 == 0
