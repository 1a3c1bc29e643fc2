"""What `servers.yaml` says: every server, or the first thing that is wrong with its line. Pure."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml.nodes import Node, ScalarNode

from daemon.core.documents import normalise_document
from daemon.tools.servers import references
from daemon.tools.servers.configuration.nodes import Member, YamlText, shown
from daemon.tools.servers.values import Mode, Scope, ServerConfig

VERSION = "1"
VERSION_KEY = "version"
SERVERS_KEY = "downstream_servers"
TOP_KEYS = (VERSION_KEY, SERVERS_KEY)

NAME = re.compile(r"[a-z][a-z0-9-]*")
LONGEST_NAME = 40
MOST_SERVERS = 500

_PREFIX = re.compile(r"[a-z][a-z0-9-]*(_[a-z0-9-]+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE_END = re.compile(r"[\r\n]")

_MAPPING = "policy_mapping"
_BOTH = ("name", "mode", "scope", "enabled", "start_seconds", "call_seconds", "idle_seconds", _MAPPING)
_LOCAL = (*_BOTH, "command", "env", "folder", "unsafe_args")
_REMOTE = (*_BOTH, "url", "headers", "client_id")
KEYS = tuple(dict.fromkeys((*_LOCAL, *_REMOTE)))
_WHERE = {"local": _LOCAL, "remote": _REMOTE}
_DAY = 86400.0
_AN_AGENTS_FILE = "This is how files of agents begin: save it under another name, and run `aileron server import FILE`."
_OTHER_TOP_KEYS = {"mcpServers": _AN_AGENTS_FILE, "mcp_servers": _AN_AGENTS_FILE, "mcp": _AN_AGENTS_FILE}
_OTHER_KEYS = {
    "args": 'Write the arguments into command: ["npx", "-y", "PACKAGE"].',
    "cwd": "Did you mean folder?",
    "disabled": "Did you mean enabled? It says the contrary.",
    "environment": "Did you mean env?",
    "timeout": "Did you mean call_seconds, or start_seconds?",
    "transport": "Did you mean mode? It is local or remote.",
    "type": "Did you mean mode? It is local or remote.",
    "<<": "Nothing is taken over from another server: write its keys out.",
}
"""Keys that agents have in their files, and what stands for them here."""
_LIST_OF_SERVERS = "Write each server as lines that begin with `- name: NAME`."
_LIST_OF_WORDS = 'Write it as ["npx", "-y", "PACKAGE"], or as lines that begin with -.'

RULE_OF_NAMES = f"Write at most {LONGEST_NAME} lower-case letters, digits and dashes; the first is a letter."


def read_servers(text: str, file: str) -> Mapping[str, ServerConfig]:
    """Return the servers by name, in the order of the file; raises DocumentError."""
    source = YamlText(normalise_document(text, file), file)
    if source.root is None:
        return {}
    top = source.mapping(source.root, "The file", TOP_KEYS, _OTHER_TOP_KEYS)
    _check_version(source, top)
    listed = top.get(SERVERS_KEY)
    if listed is None or is_nothing(listed.value):
        return {}
    nodes = source.items(listed.value, SERVERS_KEY, _LIST_OF_SERVERS)
    if len(nodes) > MOST_SERVERS:
        raise source.wrong(nodes[MOST_SERVERS], f"There are more than {MOST_SERVERS} servers.", "Take some out.")
    servers: dict[str, ServerConfig] = {}
    for node in nodes:
        server = _Entry(source, node).server()
        if server.name in servers:
            raise source.wrong(node, f"There are two servers named {server.name}.", "Give one of them another name.")
        servers[server.name] = server
    return servers


def _is_readable_on_the_way(url: str) -> bool:
    """Say whether what is sent to a URL can be read on the way: it is plain HTTP, and not to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "http" and host not in {"localhost", "::1"} and not host.startswith("127.")


def is_nothing(node: Node) -> bool:
    """Say whether a node is an empty value."""
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _check_version(source: YamlText, top: Mapping[str, Member]) -> None:
    member = top.get(VERSION_KEY)
    if member is None:
        raise source.wrong(source.root, "The file does not say its version.", f'Begin it with `version: "{VERSION}"`.')
    version = source.text(member.value, VERSION_KEY)
    if version != VERSION:
        raise source.wrong(
            member.value, f"This Aileron does not know the version {shown(version)}.", f'Write "{VERSION}".'
        )


class _Entry:
    """One server of the file."""

    def __init__(self, source: YamlText, node: Node) -> None:
        self._source = source
        self._node = node
        self._members = source.mapping(node, "A server", KEYS, _OTHER_KEYS)

    def server(self) -> ServerConfig:
        name = self._name()
        mode = Mode(self._word("mode", [each.value for each in Mode], Mode.LOCAL.value))
        for key, member in self._members.items():
            if key not in _WHERE[mode.value]:
                other = Mode.REMOTE if mode is Mode.LOCAL else Mode.LOCAL
                raise self._source.wrong(
                    member.key,
                    f"{key} is for servers that are {other.value}, and {name} is {mode.value}.",
                    f"Take it out, or write mode: {other.value}.",
                )
        given: dict[str, Any] = {"name": name, "mode": mode}
        given |= self._local(name) if mode is Mode.LOCAL else self._remote(name)
        given["scope"] = Scope(self._word("scope", [each.value for each in Scope], Scope.SHARED.value))
        if (enabled := self._members.get("enabled")) is not None:
            given["enabled"] = self._source.flag(enabled.value, "enabled")
        for key, least in (("start_seconds", 1.0), ("call_seconds", 1.0), ("idle_seconds", 0.0)):
            if (time := self._members.get(key)) is not None:
                given[key] = self._source.seconds(time.value, key, least=least, most=_DAY)
        return ServerConfig(**given, tool_prefix=self._prefix())

    def _name(self) -> str:
        member = self._members.get("name")
        if member is None:
            raise self._source.wrong(self._node, "A server has no name.", "Begin it with `- name: NAME`.")
        name = self._source.text(member.value, "name")
        if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            raise self._source.wrong(member.value, f"{shown(name)} is no name for a server.", RULE_OF_NAMES)
        return name

    def _local(self, name: str) -> dict[str, Any]:
        given: dict[str, Any] = {}
        unsafe = self._members.get("unsafe_args")
        allowed = unsafe is not None and self._source.flag(unsafe.value, "unsafe_args")
        given["unsafe_args"] = allowed
        member = self._members.get("command")
        if member is None:
            raise self._source.wrong(self._node, f"{name} has no command.", 'Write, say: command: ["npx", "PACKAGE"]')
        items = self._source.items(member.value, "command", _LIST_OF_WORDS)
        words = [self._source.text(item, "A part of the command") for item in items]
        if not words or not words[0]:
            raise self._source.wrong(member.value, "The command is empty.", "Write the program, then its arguments.")
        for item, word in zip(items, words, strict=True):
            self._check_reference(item, word)
            if references.used(word) and not allowed:
                raise self._source.wrong(
                    item,
                    "A secret stands in an argument, which every user of this machine can read.",
                    "Put it into env, or, if the program takes it nowhere else, write unsafe_args: true.",
                )
        given["command"] = tuple(words)
        given["env"] = self._texts("env", _VARIABLE, "a variable")
        if (folder := self._members.get("folder")) is not None:
            given["folder"] = self._source.text(folder.value, "folder")
            if not given["folder"].startswith(("/", "~/")) and given["folder"] != "~":
                raise self._source.wrong(folder.value, "folder is not a whole path.", "Begin it with / or ~/.")
        return given

    def _remote(self, name: str) -> dict[str, Any]:
        member = self._members.get("url")
        if member is None:
            raise self._source.wrong(
                self._node, f"{name} has no url.", "Nothing can look it up by its name: write url: https://..."
            )
        url = self._source.text(member.value, "url")
        self._check_reference(member.value, url)
        self._check_url(member.value, url)
        given: dict[str, Any] = {"url": url, "headers": self._texts("headers", _HEADER, "a header")}
        if any(references.used(text) for text in (url, *given["headers"].values())) and _is_readable_on_the_way(url):
            raise self._source.wrong(
                member.value, "A secret would be sent without encryption.", "Write https://, or take the secret out."
            )
        if (client := self._members.get("client_id")) is not None:
            given["client_id"] = self._source.text(client.value, "client_id")
        return given

    def _check_url(self, node: Node, url: str) -> None:
        if references.outside_of_query(url):
            raise self._source.wrong(
                node, "A secret stands in the url outside of its query.", "Put it into headers, or behind the ?."
            )
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            raise self._source.wrong(node, "url is no URL.", "Write it like https://mcp.example.com/mcp.") from None
        if parts.scheme not in {"https", "http"} or not parts.hostname or not url.isprintable() or " " in url:
            raise self._source.wrong(node, "url is no URL of the web.", "Write it like https://mcp.example.com/mcp.")
        if parts.username is not None or parts.password is not None:
            raise self._source.wrong(
                node, "url holds a user name or a password.", "Put it into headers, as Authorization."
            )
        if parts.fragment or url.endswith("#"):
            raise self._source.wrong(node, "url has a part behind #.", "Take it out; it is never sent.")

    def _texts(self, key: str, rule: re.Pattern[str], what: str) -> dict[str, str]:
        member = self._members.get(key)
        if member is None or is_nothing(member.value):
            return {}
        found: dict[str, str] = {}
        for name, (node, text) in self._source.texts(member.value, key).items():
            if not rule.fullmatch(name):
                raise self._source.wrong(node, f"{shown(name)} is no name of {what}.", "Check its spelling.")
            self._check_reference(node, text)
            if key == "headers" and _LINE_END.search(text):
                raise self._source.wrong(node, f"The header {name} has several lines.", "Write it on one line.")
            found[name] = text
        return found

    def _check_reference(self, node: Node, text: str) -> None:
        if references.malformed(text):
            raise self._source.wrong(
                node,
                "This begins like a reference to the vault and is none.",
                "Write vault://secrets/NAME with a name of `aileron secret list`, as it stands there.",
            )

    def _prefix(self) -> str | None:
        member = self._members.get(_MAPPING)
        if member is None or is_nothing(member.value):
            return None
        inner = self._source.mapping(member.value, _MAPPING, ("tool_prefix",)).get("tool_prefix")
        if inner is None:
            return None
        prefix = self._source.text(inner.value, "tool_prefix")
        if not _PREFIX.fullmatch(prefix) or len(prefix) > LONGEST_NAME:
            raise self._source.wrong(
                inner.value,
                f"{shown(prefix)} is no prefix for names of tools.",
                f"{RULE_OF_NAMES} It may hold single _.",
            )
        return prefix

    def _word(self, key: str, known: list[str], usual: str) -> str:
        member = self._members.get(key)
        return usual if member is None else self._source.one_of(member.value, key, known)
