"""Every event says who caused it and how they had proved who they are: in a terminal, in a browser, with a token."""

import ast
import base64
import hashlib
import hmac
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from handmade import Handmade
from world import PASSPHRASE, WELLBEHAVED, World

import daemon

MEANS = "aileron.principal.means"
CHANGING = {"post", "put", "delete", "patch"}
CAUSES_NO_EVENT = {
    "action_check": "it reads a text and changes nothing",
    "connector_inspect": "it reads a source and changes nothing",
    "connector_install_stop": "it keeps something from happening; the install that was stopped says so itself",
    "secret_compare": "it reads a secret, tells nothing of it but whether it is what was sent, and changes nothing",
    "audit_verify": "it reads the log and changes nothing",
    "workspace_difference": "it reads a workspace and changes nothing",
    "workspace_file": "it reads a workspace and changes nothing",
    "browser_login": "it makes a link; what a browser does with it is recorded as of a page",
    "stop": "a stop is signed as a checkpoint and has no event",
    "sandbox_input": "the agent's own terminal",
    "sandbox_size": "the agent's own terminal",
    "sandbox_signal": "the agent's own terminal",
    "exec_input": "the person's own program; its start is recorded",
    "exec_size": "the person's own program; its start is recorded",
    "exec_signal": "the person's own program; its start is recorded",
    "settings_take_over": "it takes over what the person wrote; tests/settings/test_live_settings.py changes something",
    "server_test": "it asks a server for its tools; what is new of them waits for a person",
    "sandbox_image_build": "images have no events",
    "sandbox_own_build": "images have no events",
    "sandbox_images_prune": "images have no events",
}
NEEDS_AN_ENGINE = {"sandbox_start", "sandbox_end", "sandbox_exec", "sandbox_attach"}
"""tests/sandbox/test_sandbox_principals.py and test_running_sandboxes.py call these."""


NEEDS_A_SERVER = {
    "question_answer",
    "server_accept",
    "server_login",
    "server_login_cancel",
    "server_login_reply",
    "server_logout",
    "server_restart",
}
"""tests/servers/test_servers_end_to_end.py, test_login_end_to_end.py and test_questions_to_the_person.py call these;
tests/web/test_question_page.py answers a question in a browser."""


class Walk:
    """Calls one route after the other in one way, and looks at what the log says of each."""

    def __init__(self, world: World, means: str) -> None:
        self.world = world
        self.means = means
        self.walked: set[str] = set()
        self._browser = httpx.Client(timeout=60.0, trust_env=False)
        self._csrf = ""
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()

    def sign_in(self, approval: str) -> None:
        """Sign the browser in with a link as `aileron open` makes it; its forms carry a token that follows from it."""
        link = self.world.ok("POST", "/v1/browser-logins", {"next": f"/approvals/{approval}"})["url"]
        self._browser.get(link)
        key = hashlib.sha256(self._browser.cookies["aileron_session"].encode()).digest()
        self._csrf = hmac.digest(key, b"csrf", hashlib.sha256).hex()

    def did(self, operation: str, method: str, path: str, body: Any = None, *, caused: str) -> Any:
        """Call one route, and find who it was in the event it caused."""
        headers = {"X-CSRF-Token": self._csrf}
        self._catch_up()
        if self.means == "page":
            answer = self._browser.request(method, self.world.control_url + path, json=body, headers=headers)
        else:
            answer = self.world.control(method, path, body)
        assert answer.is_success, f"{operation}: {answer.status_code} {answer.text}"
        self.walked.add(operation)
        self._holds(operation, caused)
        return answer.json() if answer.content else None

    def pressed(self, path: str, caused: str, **fields: str) -> None:
        """Send a form of a page, and find who it was in the event it caused."""
        self._catch_up()
        answer = self._browser.post(self.world.control_url + path, data={"csrf": self._csrf, **fields})
        assert answer.status_code in {200, 303}, answer.text
        self._holds(path, caused)

    def page(self, path: str) -> str:
        """Return a page as the browser gets it."""
        return self._browser.get(self.world.control_url + path).text

    def _catch_up(self) -> None:
        self._seen = self.world.ok("GET", "/v1/status")["audit"]["head_seq"]

    def _holds(self, what: str, caused: str) -> None:
        events = self.world.events(after_seq=self._seen)
        mine = [each for each in events if each["type"] == caused]
        assert mine, f"{what} caused {[each['type'] for each in events]}"
        for each in events:
            if each["type"] == caused or each["actor"].startswith("person"):
                assert (each["actor"], each["payload"][MEANS]) == ("person:owner", self.means), f"{what}: {each}"


def asked(world: World, action: str, token: str) -> str:
    """Let an agent ask for a run that a person must decide about."""
    body = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}
    return str(world.agent("POST", f"/v1/actions/{action}/run", body, token=token).json()["approval_id"])


def a_key() -> str:
    return base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()


def walk_vault_and_bindings(walk: Walk) -> None:
    change = {"old": PASSPHRASE, "new": PASSPHRASE + "!"}
    bound = {"connector": WELLBEHAVED, "identity": "second", "value": {"type": "api_key", "key": "another key"}}
    walk.did("vault_lock", "POST", "/v1/vault/lock", caused="vault.locked")
    walk.did("vault_unlock", "POST", "/v1/vault/unlock", {"passphrase": PASSPHRASE}, caused="vault.unlocked")
    walk.did("vault_passphrase", "POST", "/v1/vault/passphrase", change, caused="vault.passphrase_changed")
    walk.did("secret_set", "PUT", "/v1/secrets", {"name": "n", "value": "v"}, caused="vault.secret_set")
    walk.did("secret_remove", "DELETE", "/v1/secrets?name=n", caused="vault.secret_removed")
    made = walk.did("binding_setup", "POST", "/v1/bindings", bound, caused="binding.created")
    chosen = {"connector": WELLBEHAVED, "name": made["name"]}
    walk.did("binding_rebind", "POST", "/v1/bindings/rebind", chosen, caused="binding.chosen")
    walk.did("binding_revoke", "DELETE", f"/v1/bindings?name={made['name']}", caused="binding.revoked")


def walk_runs(walk: Walk, token: str) -> None:
    world = walk.world
    given = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}
    walk.did("action_disable", "POST", "/v1/actions/post/disable", caused="action.disabled")
    walk.did("action_enable", "POST", "/v1/actions/post/enable", caused="action.enabled")
    walk.did("action_run", "POST", "/v1/actions/post/run", given, caused="execution.started")
    approval = asked(world, "ship", token)
    walk.did("approval_approve", "POST", f"/v1/approvals/{approval}/approve", {}, caused="approval.approved")
    approval = asked(world, "ship", token)
    denied = walk.did("approval_deny", "POST", f"/v1/approvals/{approval}/deny", {}, caused="approval.denied")
    assert (denied["decided_by"], denied["decided_with"]) == ("person:owner", walk.means)
    assert (denied["actor"], denied["asked_with"]) == (f"agent:{denied['session']}", "session_token")


def walk_connectors_and_keys(walk: Walk) -> None:
    world = walk.world
    trusted = {"public_key": a_key(), "label": "Acme", "namespaces": ["github://acme"]}
    key = walk.did("keyring_trust", "POST", "/v1/keyring", trusted, caused="connector.key_trusted")
    walk.did("keyring_revoke", "POST", "/v1/keyring/revoke", {"key_id": key["key_id"]}, caused="connector.key_revoked")
    reference = world.hashes["wellbehaved"]
    walk.did("connector_remove", "DELETE", f"/v1/connectors?ref={reference}", caused="connector.removed")
    source = (world.folder / "connector-wellbehaved").resolve().as_uri()
    wanted = {"source": source, "expected_hash": reference, "allow_unsigned": True}
    walk.did("connector_install", "POST", "/v1/connectors", wanted, caused="connector.installed")


def walk_servers(walk: Walk) -> None:
    added = {"name": "far", "mode": "remote", "url": "http://127.0.0.1:9/mcp"}
    walk.did("server_add", "POST", "/v1/servers", added, caused="server.added")
    walk.did("server_disable", "POST", "/v1/servers/far/disable", caused="server.disabled")
    walk.did("server_enable", "POST", "/v1/servers/far/enable", caused="server.enabled")
    walk.did("server_remove", "DELETE", "/v1/servers/far", caused="server.removed")


def walk_sessions_and_workspaces(walk: Walk, folder: Path) -> None:
    opened = walk.did("session_open", "POST", "/v1/sessions", {"kind": "api"}, caused="session.started")
    assert (opened["opened_by"], opened["opened_with"]) == ("person:owner", walk.means)
    assert opened["principal"] == f"agent:{opened['id']}"
    walk.did("session_end", "POST", f"/v1/sessions/{opened['id']}/end", caused="session.ended")
    work = Handmade(walk.world, folder / "project", "ses_019ab000-1111-7111-8111-0000000000aa", {"a": "1\n"})
    work.wrote("a", "2\n")
    work.ended()
    plan = walk.world.ok("GET", f"/v1/workspaces/{work.session}/changes")["plan"]
    there = f"/v1/workspaces/{work.session}"
    walk.did("workspace_land", "POST", f"{there}/land", {"plan": plan}, caused="workspace.landing_started")
    walk.did("workspace_discard", "POST", f"{there}/discard", caused="workspace.discarded")


def walk_a_damaged_log(walk: Walk) -> None:
    world = walk.world
    world.stop()
    with closing(sqlite3.connect(world.home / "aileron.db")) as connection:
        connection.execute("UPDATE audit_events SET actor = 'agent' WHERE seq = 2")
        connection.commit()
    world.start()
    walk.sign_in("apr_of_nobody")
    walk.did("audit_resume", "POST", "/v1/audit/resume", {"because": "a test"}, caused="audit.resumed")


def state_changing(world: World) -> set[str]:
    """Return the routes of the control API whose method is not a safe one, as it describes itself."""
    described = world.ok("GET", "/openapi.json")["paths"].values()
    return {each["operationId"] for methods in described for method, each in methods.items() if method in CHANGING}


@pytest.mark.parametrize("means", ["cli", "page"])
def test_every_route_that_changes_something_records_the_person_and_their_means(
    world: World, tmp_path: Path, means: str
) -> None:
    world.start()
    with Walk(world, means) as walk:
        walk.sign_in("apr_of_nobody")
        walk.did("vault_create", "POST", "/v1/vault/create", {"passphrase": PASSPHRASE}, caused="vault.created")
        world.install("wellbehaved")
        world.ok("POST", "/v1/bindings", {"connector": WELLBEHAVED, "value": {"type": "api_key", "key": "a key"}})
        world.add_action("post")
        world.add_action("ship", approval=True)
        _, token = world.session()
        walk_vault_and_bindings(walk)
        walk_runs(walk, token)
        walk_sessions_and_workspaces(walk, tmp_path)
        walk_connectors_and_keys(walk)
        walk_servers(walk)
        walk.did("backup_take", "POST", "/v1/backups", caused="home.backed_up")
        walk_a_damaged_log(walk)
        assert walk.walked | CAUSES_NO_EVENT.keys() | NEEDS_AN_ENGINE | NEEDS_A_SERVER == state_changing(world)


def test_a_decision_on_a_page_is_recorded_as_the_persons_in_a_browser_and_said_so(world: World) -> None:
    world.start()
    world.set_up()
    world.add_action("ship", approval=True)
    session, token = world.session()
    approval = asked(world, "ship", token)
    with Walk(world, "page") as walk:
        walk.sign_in(approval)
        walk.pressed(f"/approvals/{approval}", "approval.denied", verdict="deny", whole="no")
        page = walk.page(f"/approvals/{approval}")
    assert "by you, in a browser" in page
    assert "the agent, session" in page
    (asking,) = world.events(type="approval.requested")
    assert (asking["actor"], asking["payload"][MEANS]) == (f"agent:{session}", "session_token")


def test_what_the_daemon_does_and_what_strangers_try_is_recorded_as_theirs(world: World) -> None:
    world.start()
    session, token = world.session()
    world._client.get(world.agent_url + "/v1/actions", headers={"Authorization": "Bearer ailt_x"})
    world._client.get(world.control_url + "/v1/status", headers={"Authorization": f"Bearer {token}"})
    denials = [(each["actor"], each["payload"][MEANS]) for each in world.events(type="session.denied")]
    assert denials == [("unknown", "none"), (f"agent:{session}", "session_token")]
    terminal = world.events(type="session.started")[0]
    assert (terminal["actor"], terminal["payload"][MEANS]) == ("daemon", "process")


def test_whoever_shows_a_sessions_token_is_its_agent_whatever_kind_the_session_is_of(world: World) -> None:
    world.start()
    world.set_up()
    world.add_action("post")
    session, token = world.session(kind="terminal")
    body = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}
    assert world.agent("POST", "/v1/actions/post/run", body, token=token).status_code == 200
    (started,) = world.events(type="execution.started")
    assert (started["actor"], started["payload"][MEANS]) == (f"agent:{session}", "session_token")


ACTORS = {"user", "agent", "daemon", "unknown", "person"}


def test_no_module_names_an_actor_by_a_text_of_its_own() -> None:
    root = Path(next(iter(daemon.__path__)))
    found = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            texts = []
            if isinstance(node, ast.keyword) and node.arg in {"actor", "by", "who", "principal"}:
                texts = [each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                if node.target.id in {"actor", "by", "who", "principal"} and isinstance(node.value, ast.Constant):
                    texts = [node.value.value]
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [*node.args.args[len(node.args.args) - len(node.args.defaults) :], *node.args.kwonlyargs]
                given = zip(names, [*node.args.defaults, *node.args.kw_defaults], strict=True)
                texts = [
                    each.value
                    for name, each in given
                    if name.arg in {"actor", "by", "who", "principal"} and isinstance(each, ast.Constant)
                ]
            elif isinstance(node, ast.Dict):
                named = [v for k, v in zip(node.keys, node.values, strict=True) if getattr(k, "value", None) == "actor"]
                texts = [each.value for each in named if isinstance(each, ast.Constant)]
            found += [f"{path.relative_to(root)}:{node.lineno}: {text}" for text in texts if text in ACTORS]
    assert found == []
