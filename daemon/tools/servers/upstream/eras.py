"""What the two eras of the protocol differ in: who says what of itself, and the form of results. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.tools.servers.upstream.seam import Answers, Asking, Era, Hello, Message
from daemon.version import VERSION

MODERN_VERSION = "2026-07-28"
HANDSHAKE_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
INPUT_REQUIRED = "input_required"

_PREFIX = "io.modelcontextprotocol/"
_VERSION_KEY = f"{_PREFIX}protocolVersion"
_CLIENT_KEY = f"{_PREFIX}clientInfo"
_CAPABILITIES_KEY = f"{_PREFIX}clientCapabilities"
_LEVEL_KEY = f"{_PREFIX}logLevel"
_SERVER_KEY = f"{_PREFIX}serverInfo"
SUBSCRIPTION_KEY = f"{_PREFIX}subscriptionId"
_MOST_INSTRUCTIONS = 1 << 16
_MODERN_ONLY = frozenset({"resultType", "ttlMs", "cacheScope"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What we say of ourselves to a server."""

    info: Message = field(default_factory=lambda: {"name": "aileron", "title": "Aileron", "version": VERSION})
    capabilities: Message = field(default_factory=dict)
    """What we answer when it asks back, for the whole connection, in the handshake era. In the modern era each request
    says what can be answered during it."""

    @classmethod
    def answering(cls, answers: Answers | None) -> "Client":
        """Return what is said by default: what the answerer of the connection answers, and that people can be asked."""
        more = answers.capabilities if answers is not None else {}
        return cls(capabilities={"elicitation": {"form": {}, "url": {}}, **more})


def initialize_params(client: Client) -> dict[str, Any]:
    """Return what the handshake begins with."""
    return {
        "protocolVersion": HANDSHAKE_VERSIONS[0],
        "capabilities": client.capabilities,
        "clientInfo": client.info,
    }


def modern_params(
    params: Mapping[str, Any], client: Client, *, version: str, capabilities: Message, level: str | None = None
) -> dict[str, Any]:
    """Return the parameters of a request of the modern era, which says each time who asks."""
    said = {_VERSION_KEY: version, _CLIENT_KEY: client.info, _CAPABILITIES_KEY: capabilities}
    given = params.get("_meta") or {}
    logged = {_LEVEL_KEY: level} if level is not None and _LEVEL_KEY not in given else {}
    return {**params, "_meta": {**given, **logged, **said}}


def capabilities_of(asking: Asking) -> Message:
    """Say what may be asked back during one request: nothing, if nobody would answer."""
    return asking.answers.capabilities if asking.answers is not None else {}


def hello_of_discovery(result: Message) -> Hello | None:
    """Read the answer to `server/discover`; None if it is no word of a server that speaks the modern era."""
    versions = result.get("supportedVersions")
    if not isinstance(versions, list) or MODERN_VERSION not in versions:
        return None
    meta = result.get("_meta")
    return Hello(
        era=Era.MODERN,
        version=MODERN_VERSION,
        server=_object(_object(meta).get(_SERVER_KEY)),
        capabilities=_object(result.get("capabilities")),
        instructions=_text(result.get("instructions")),
    )


def hello_of_handshake(result: Message) -> Hello | None:
    """Read the answer to `initialize`; None if it names a version that is not spoken here."""
    version = result.get("protocolVersion")
    if not isinstance(version, str) or version not in HANDSHAKE_VERSIONS:
        return None
    return Hello(
        era=Era.HANDSHAKE,
        version=version,
        server=_object(result.get("serverInfo")),
        capabilities=_object(result.get("capabilities")),
        instructions=_text(result.get("instructions")),
    )


def in_modern_form(result: dict[str, Any]) -> Message:
    """Return a result with what the modern era demands of each."""
    if "resultType" not in result:
        result["resultType"] = "complete"
    return result


def in_handshake_form(result: Message) -> Message:
    """Return a result as a client of the handshake era knows it."""
    kept = {key: value for key, value in result.items() if key not in _MODERN_ONLY}
    meta = kept.get("_meta")
    if isinstance(meta, dict) and _SERVER_KEY in meta:
        kept["_meta"] = {key: value for key, value in meta.items() if key != _SERVER_KEY}
        if not kept["_meta"]:
            del kept["_meta"]
    return kept


def _object(value: Any) -> Message:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value[:_MOST_INSTRUCTIONS] if isinstance(value, str) else ""
