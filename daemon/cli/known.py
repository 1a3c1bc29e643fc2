"""Names that the daemon knows, to complete what is typed. A daemon that runs is asked; none is started for this."""

from collections.abc import Callable, Mapping
from typing import Any

from daemon.cli.ids import short

Names = list[tuple[str, str]]
_Item = Mapping[str, Any]
_AGENTS = ("claude", "codex", "goose", "opencode", "pi")


def _asked(path: str, name: Callable[[_Item], Any], said: Callable[[_Item], Any], **query: Any) -> Names:
    from daemon.cli.connection import DaemonConnection

    client = DaemonConnection().open_if_running()
    if client is None:
        return []
    with client:
        items: list[_Item] = client.get(path, **query)["items"]
    return [(str(name(item)), str(said(item) or "")) for item in items if name(item)]


def agents() -> list[str]:
    """Return the agents that can be launched."""
    return list(_AGENTS)


def actions() -> Names:
    """Return the names of the installed actions."""
    return _asked("/v1/actions", lambda item: item["name"], lambda item: item.get("state"))


def servers() -> Names:
    """Return the names of the MCP servers."""
    return _asked("/v1/servers", lambda item: item["name"], lambda item: item.get("state"))


def pending_approvals() -> Names:
    """Return the ends of the ids of what waits for a decision."""
    return _asked("/v1/approvals", lambda item: short(item["id"]), lambda item: item.get("action"), state="pending")


def questions() -> Names:
    """Return the ends of the ids of the questions of servers that wait for an answer."""
    return _asked("/v1/questions", lambda item: short(item["id"]), lambda item: item.get("server"), state="open")


def approvals() -> Names:
    """Return the ends of the ids of the newest approvals."""
    return _asked("/v1/approvals", lambda item: short(item["id"]), _what, limit=50)


def _what(item: _Item) -> str:
    return f"{item.get('action')}, {item.get('state')}"


def sessions() -> Names:
    """Return the ends of the ids of the newest sessions."""
    return _asked("/v1/sessions", lambda item: short(item["id"]), lambda item: item.get("label"), limit=50)


def bindings() -> Names:
    """Return the names of the bindings."""
    return _asked("/v1/bindings", lambda item: item["name"], lambda item: ", ".join(sorted(item.get("connectors", ()))))


def connectors() -> Names:
    """Return the full names of the installed connectors."""
    return _asked("/v1/connectors", lambda item: item.get("name"), lambda item: item.get("version"))


def keys() -> Names:
    """Return the ids of the keys in the keyring."""
    return _asked("/v1/keyring", lambda item: item["key_id"], lambda item: item.get("label"))


def secrets() -> Names:
    """Return the names of the stored secrets."""
    return _asked("/v1/secrets", lambda item: item["name"], lambda item: item.get("kind"))
