"""Changes the text of `servers.yaml` line by line, so that every comment, and the order, stay as they were. Pure."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from daemon.core.failures import Boundary, DocumentError, Failure, FailureClass
from daemon.core.missing import no_such
from daemon.tools.servers.configuration.nodes import YamlText
from daemon.tools.servers.configuration.reading import NAME, SERVERS_KEY, TOP_KEYS, VERSION, is_nothing, read_servers
from daemon.tools.servers.values import Mode, Scope, ServerConfig

_HEAD = f'version: "{VERSION}"\n{SERVERS_KEY}:\n'
_INDENT = 2


def already_there(name: str) -> Failure:
    """Return the failure of a server whose name is taken."""
    return Failure(
        FailureClass.INVALID_ARGUMENTS,
        f"There is a server named {name} already. Choose another name, or remove it first: "
        f"`aileron server remove {name}`.",
        boundary=Boundary.USER,
    )


def not_there(name: str) -> Failure:
    """Return the failure of a server that is not in the file, or is not any more."""
    return no_such("server", name, remedy="`aileron server list` shows those there are.")


def with_server(text: str, server: ServerConfig, file: str) -> str:
    """Return the text with one more server behind the others; raises Failure, or the DocumentError of a broken rule."""
    read_servers(_HEAD + _written(server, _INDENT), file)  # so that a rule which it breaks is named
    there = read_servers(text, file)
    if server.name in there:
        raise already_there(server.name)
    wanted = {**there, server.name: server}
    return _as_wanted(text, wanted, file, lambda plain: _added(plain, server, file))


def without_server(text: str, name: str, file: str) -> str:
    """Return the text without a server; comments above the next one stay. Raises Failure or DocumentError."""
    there = read_servers(text, file)
    if name not in there:
        raise not_there(name)
    wanted = {each: server for each, server in there.items() if each != name}
    return _as_wanted(text, wanted, file, lambda plain: _removed(plain, name, file))


def with_switch(text: str, server: ServerConfig, file: str) -> str:
    """Return the text in which a server is enabled or disabled as `server` says; raises Failure or DocumentError."""
    there = read_servers(text, file)
    if server.name not in there:
        raise not_there(server.name)
    wanted = {**there, server.name: server}
    return _as_wanted(text, wanted, file, lambda plain: _switched(plain, server, file))


def _as_wanted(text: str, wanted: Mapping[str, ServerConfig], file: str, edit: Callable[[str], str]) -> str:
    """Return the edited text with the line ends that it had; refuse an edit that would not say what is wanted."""
    every_crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    edited = edit(text.removeprefix(mark).replace("\r\n", "\n"))
    try:
        same = list(read_servers(edited, file).items()) == list(wanted.items())
    except DocumentError:
        same = False
    if not same:
        raise _by_hand(file)
    return mark + (edited.replace("\n", "\r\n") if every_crlf else edited)


def _added(text: str, server: ServerConfig, file: str) -> str:
    listed = _listed(text, file)
    if listed is None:
        if _holds_nothing(text, file):
            return _ended(text) + _HEAD + _written(server, _INDENT)
        return _ended(text) + f"{SERVERS_KEY}:\n" + _written(server, _INDENT)
    key, value = listed
    if is_nothing(value) or (isinstance(value, SequenceNode) and not value.value):
        line_end = _line_end(text, key.end_mark.index)
        if isinstance(value, SequenceNode):  # written as []
            text = text[: key.end_mark.index] + ":" + text[value.end_mark.index :]
            line_end = _line_end(text, key.end_mark.index)
        return text[:line_end].rstrip("\n") + "\n" + _written(server, _INDENT) + text[line_end:]
    if not isinstance(value, SequenceNode) or value.flow_style:
        raise _by_hand(file)
    last = value.value[-1]
    end = _content_end(text, last.start_mark.index, last.end_mark.index)
    return _ended(text[:end]) + _written(server, value.start_mark.column) + text[end:]


def _removed(text: str, name: str, file: str) -> str:
    listed = _listed(text, file)
    if listed is None:
        raise _by_hand(file)
    _, value = listed
    if not isinstance(value, SequenceNode) or value.flow_style:
        raise _by_hand(file)
    node = next(item for item in value.value if _name_of(item) == name)
    dash = text.rfind("-", 0, node.start_mark.index)
    start = text.rfind("\n", 0, dash) + 1
    if text[start:dash].strip(" "):
        raise _by_hand(file)
    return text[:start] + text[_content_end(text, node.start_mark.index, node.end_mark.index) :]


def _switched(text: str, server: ServerConfig, file: str) -> str:
    listed = _listed(text, file)
    node: Any = next((item for item in listed[1].value if _name_of(item) == server.name), None) if listed else None
    if not isinstance(node, MappingNode):
        raise _by_hand(file)
    word = "true" if server.enabled else "false"
    for key, value in node.value:
        if key.value == "enabled":
            return text[: value.start_mark.index] + word + text[value.end_mark.index :]
    name = next(value for key, value in node.value if key.value == "name")
    if node.flow_style:
        return f"{text[: name.end_mark.index]}, enabled: {word}{text[name.end_mark.index :]}"
    end = _line_end(text, name.end_mark.index)
    column = node.value[0][0].start_mark.column
    return _ended(text[:end]) + f"{' ' * column}enabled: {word}\n" + text[end:]


def _listed(text: str, file: str) -> tuple[Node, Any] | None:
    """Return the key of the list and the list, as nodes."""
    source = YamlText(text, file)
    if source.root is None:
        return None
    member = source.mapping(source.root, "The file", TOP_KEYS).get(SERVERS_KEY)
    return None if member is None else (member.key, member.value)


def _holds_nothing(text: str, file: str) -> bool:
    return YamlText(text, file).root is None


def _name_of(node: Any) -> str | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value.value for key, value in node.value if key.value == "name"), None)


def _content_end(text: str, start: int, end: int) -> int:
    """Return where the last line of an entry ends; empty lines and comments behind it are not part of it."""
    rows = text[start:end].split("\n")
    while len(rows) > 1 and (not rows[-1].strip() or rows[-1].lstrip().startswith("#")):
        rows.pop()
    return _line_end(text, start + len("\n".join(rows)))


def _line_end(text: str, place: int) -> int:
    """Return where the line after a place begins."""
    end = text.find("\n", place)
    return len(text) if end < 0 else end + 1


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _written(server: ServerConfig, indent: int) -> str:
    """Return the lines of one entry; what is as usual is not said."""
    # A name that breaks the rule is written so that it is read back as one text, and refused as what it is.
    name = server.name if NAME.fullmatch(server.name) else _flow(server.name)
    lines = [f"name: {name}", f"mode: {server.mode.value}"]
    if server.mode is Mode.LOCAL:
        lines.append(f"command: {_flow(list(server.command))}")
        lines += [f"{key}: {_flow(value)}" for key, value in (("folder", server.folder),) if value is not None]
        lines += _block("env", server.env)
        lines += ["unsafe_args: true"] if server.unsafe_args else []
    else:
        lines.append(f"url: {_flow(server.url)}")
        lines += _block("headers", server.headers)
        lines += [f"client_id: {_flow(server.client_id)}"] if server.client_id is not None else []
    lines += [f"scope: {server.scope.value}"] if server.scope is not Scope.SHARED else []
    lines += [] if server.enabled else ["enabled: false"]
    usual = ServerConfig(name=server.name)
    for key in ("start_seconds", "call_seconds", "idle_seconds"):
        if getattr(server, key) != getattr(usual, key):
            lines.append(f"{key}: {getattr(server, key):g}")
    if server.tool_prefix is not None:
        lines.append(f"policy_mapping: {_flow({'tool_prefix': server.tool_prefix})}")
    first, *rest = lines
    return "".join(f"{' ' * indent}{row}\n" for row in (f"- {first}", *(f"  {line}" for line in rest)))


def _block(key: str, texts: Mapping[str, str]) -> list[str]:
    return [f"{key}:", *(f"  {_flow(name)}: {_flow(text)}" for name, text in texts.items())] if texts else []


def _flow(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _by_hand(file: str) -> Failure:
    return Failure(
        FailureClass.INVALID_ARGUMENTS,
        f"{file} is written in a form that cannot be changed without losing something of it. Change it by hand; it is "
        "read again by itself.",
        boundary=Boundary.USER,
        details={"file": file},
    )
