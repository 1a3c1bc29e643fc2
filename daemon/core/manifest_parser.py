"""Reading a connector's manifest.toml, accepted whole or refused with line and remedy."""

import re
from typing import cast
from urllib.parse import urlsplit

from daemon.core.authority import HostPort
from daemon.core.documents import normalise_document
from daemon.core.fields import Fields
from daemon.core.fqn import Fqn
from daemon.core.manifest import (
    MAX_MEMORY_BYTES,
    MAX_TIME_SECONDS,
    SECRET_PLACE,
    Credential,
    CredentialKind,
    Injection,
    InputFormat,
    Limits,
    Manifest,
    OAuth2Settings,
    Op,
    OpInput,
)
from daemon.core.quantities import format_duration, parse_duration, parse_size
from daemon.core.semver import Version
from daemon.core.toml_source import TomlSource

CREDENTIAL_KINDS = ("oauth2", "api_key", "basic", "none")
INPUT_FORMATS = ("json", "url")
OP_INPUT_TYPES = ("string", "integer", "number", "boolean", "object", "array")
MIN_MEMORY_BYTES = 64 * 1024  # one page of WebAssembly memory

_OP = re.compile(r"[a-z][a-z0-9_]*")
_OP_INPUT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_CAPABILITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/-]{0,127}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_TEXT = re.compile(r"[\x20-\x7e]{1,256}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_RESERVED_HEADERS = frozenset(
    {
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "date", "expect",
        "host", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade", "via",
    }
)  # fmt: skip

_FQN_REMEDY = 'Write the full name, like name = "github://acme/slack".'
_HOSTS_REMEDY = 'List exact hosts and ports, like hosts = ["slack.com:443"].'
_INJECT_REMEDY = 'Write inject = { header = "Authorization", format = "Bearer {secret}" }.'


def parse_manifest(text: str, *, file: str) -> Manifest:
    """Read a manifest; whatever is wrong with it is a DocumentError."""
    source = TomlSource.parse(normalise_document(text, file), file=file)
    root = Fields.root(source, ("connector", "capabilities", "limits", "ops"))
    connector = root.required_table(
        "connector",
        ("name", "version", "description", "idempotency"),
        "Add [connector] with name, version and description.",
    )
    default_idempotent = _parse_idempotency(connector)
    capabilities = root.table("capabilities", ("network", "credential"))
    hosts: tuple[HostPort, ...] = ()
    credential = None
    if capabilities is not None:
        network = capabilities.table("network", ("hosts",))
        if network is not None:
            hosts = network.parsed_texts("hosts", HostPort.parse, _HOSTS_REMEDY)
        credential = _parse_credential(capabilities, hosts)
    return Manifest(
        name=connector.parsed("name", Fqn.parse, _FQN_REMEDY),
        version=connector.parsed("version", Version.parse, 'Write an exact version, like version = "1.2.0".'),
        description=connector.prose("description"),
        default_idempotent=default_idempotent,
        hosts=hosts,
        credential=credential,
        limits=_parse_limits(root),
        ops=_parse_ops(root, default_idempotent=default_idempotent),
    )


def _parse_idempotency(connector: Fields) -> bool:
    table = connector.table("idempotency", ("default",))
    # Saying nothing must not make a payment run twice.
    return table is not None and table.choice("default", ("idempotent", "not_idempotent")) == "idempotent"


def _parse_credential(capabilities: Fields, network: tuple[HostPort, ...]) -> Credential | None:
    fields = capabilities.table("credential", ("kind", "scope", "inject", "hosts", "oauth2"))
    if fields is None:
        return None
    kind = fields.choice("kind", CREDENTIAL_KINDS)
    if kind == "none":
        for key in ("scope", "inject", "hosts", "oauth2"):
            if key in fields:
                raise fields.wrong(
                    key, f'{fields.label(key)} has no meaning with kind = "none".', "Remove it, or change the kind."
                )
        return None
    return Credential(
        kind=cast("CredentialKind", kind),
        scope=(scope := fields.optional_text("scope", 'Write scope = "chat:write channels:read" or leave it out.')),
        inject=_parse_injection(fields),
        hosts=_parse_credential_hosts(fields, network),
        oauth2=_parse_oauth2(fields, kind, scope),
    )


def _parse_credential_hosts(fields: Fields, network: tuple[HostPort, ...]) -> tuple[HostPort, ...]:
    hosts = fields.parsed_texts("hosts", HostPort.parse, _HOSTS_REMEDY)
    if not hosts:
        raise fields.wrong("hosts", f"{fields.label('hosts')} is empty, so the credential goes nowhere.", _HOSTS_REMEDY)
    for index, host in enumerate(hosts):
        if host not in network:
            raise fields.wrong_item(
                "hosts",
                index,
                f"is {host}, which is not among the hosts of [capabilities.network]",
                "Add it there, or do not send the credential to it.",
            )
    return hosts


def _parse_injection(fields: Fields) -> Injection:
    inject = fields.required_table("inject", ("header", "format"), _INJECT_REMEDY)
    header = inject.text("header", _INJECT_REMEDY, pattern=_HEADER)
    if header.lower() in _RESERVED_HEADERS:
        raise inject.wrong(
            "header", f"The header {header} belongs to the transport.", "Use another, like Authorization."
        )
    template = inject.text("format", _INJECT_REMEDY)
    if template.count(SECRET_PLACE) != 1:
        raise inject.wrong(
            "format",
            f"{inject.label('format')} holds {SECRET_PLACE} {template.count(SECRET_PLACE)} times.",
            f'Write it exactly once, like "Bearer {SECRET_PLACE}".',
        )
    rest = template.replace(SECRET_PLACE, "")
    if not _HEADER_TEXT.fullmatch(template) or template != template.strip() or "{" in rest or "}" in rest:
        raise inject.wrong(
            "format",
            f"{inject.label('format')} is not the text of a header.",
            "Use printable ASCII without other braces and without spaces at the ends.",
        )
    return Injection(header=header, format=template)


def _parse_oauth2(fields: Fields, kind: str, scope: str | None) -> OAuth2Settings | None:
    if kind != "oauth2":
        if "oauth2" in fields:
            raise fields.wrong(
                "oauth2",
                f'{fields.label("oauth2")} stands beside kind = "{kind}".',
                'Remove it, or use kind = "oauth2".',
            )
        return None
    table = fields.required_table(
        "oauth2",
        ("authorize_url", "token_url", "client_id", "scopes"),
        "Add [capabilities.credential.oauth2] with authorize_url, token_url and client_id.",
    )
    scopes = tuple((scope or "").split())
    if "scopes" in table:
        scopes = table.parsed_texts("scopes", _check_scope, 'List the scopes, like scopes = ["chat:write"].')
    return OAuth2Settings(
        authorize_url=table.parsed("authorize_url", _check_url, "Write the whole URL; it begins with https://."),
        token_url=table.parsed("token_url", _check_url, "Write the whole URL; it begins with https://."),
        client_id=table.text("client_id", "Write the id that the service gave to the application."),
        scopes=scopes,
    )


def _check_scope(text: str) -> str:
    if not _SCOPE.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not an OAuth scope; it has no spaces, quotes or backslashes")
    return text


def _check_url(text: str) -> str:
    if not text.isascii() or any(character <= " " for character in text):
        raise ValueError("The URL holds a space or a character that is not ASCII.")
    parts = urlsplit(text)
    _ = parts.port  # raises ValueError when it is not a port
    if parts.username is not None or parts.password is not None or "#" in text:
        raise ValueError("The URL holds a user name or a fragment.")
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        raise ValueError("The URL is not an https:// URL.")
    return text


def _parse_limits(root: Fields) -> Limits:
    limits = Limits()
    fields = root.table("limits", ("memory", "time"))
    if fields is None:
        return limits
    memory, seconds = limits.memory_bytes, limits.time_seconds
    if "memory" in fields:
        remedy = 'Write memory = "64MiB"; at least 64KiB, at most 1GiB.'
        memory = fields.parsed("memory", parse_size, remedy)
        if not MIN_MEMORY_BYTES <= memory <= MAX_MEMORY_BYTES:
            raise fields.wrong("memory", f"{fields.label('memory')} is out of bounds.", remedy)
    if "time" in fields:
        remedy = f'Write time = "30s"; more than 0, at most {format_duration(MAX_TIME_SECONDS)}.'
        seconds = fields.parsed("time", parse_duration, remedy)
        if not 0 < seconds <= MAX_TIME_SECONDS:
            raise fields.wrong("time", f"{fields.label('time')} is out of bounds.", remedy)
    return Limits(memory_bytes=memory, time_seconds=seconds)


def _parse_ops(root: Fields, *, default_idempotent: bool) -> dict[str, Op]:
    found = root.named_tables(
        "ops",
        ("capability", "idempotent", "description", "inputs"),
        pattern=_OP,
        rule="Write a lower-case name of letters, digits and underscores, like post_message.",
    )
    if not found:
        raise root.wrong(None, "The connector has no operations.", "Add one, like [ops.post_message].")
    return {name: _parse_op(name, fields, default_idempotent=default_idempotent) for name, fields in found.items()}


def _parse_op(name: str, fields: Fields, *, default_idempotent: bool) -> Op:
    inputs = fields.named_tables(
        "inputs",
        ("type", "required", "description", "format"),
        pattern=_OP_INPUT,
        rule="Write a name of letters, digits and underscores, like channel.",
    )
    return Op(
        name=name,
        capability=fields.text(
            "capability", 'Name what an action must declare, like capability = "chat:write".', pattern=_CAPABILITY
        ),
        idempotent=fields.flag("idempotent", default=default_idempotent),
        description=fields.prose("description"),
        inputs={key: _parse_op_input(given) for key, given in inputs.items()},
    )


def _parse_op_input(fields: Fields) -> OpInput:
    kind = fields.choice("type", OP_INPUT_TYPES)
    form = fields.choice("format", INPUT_FORMATS) if "format" in fields else None
    if form is not None and kind != "string":
        raise fields.wrong(
            "format",
            f"{fields.label('format')} does not fit the type {kind}.",
            'It says what a text holds; use it with type = "string", or leave it out.',
        )
    return OpInput(
        type=kind,
        required=fields.flag("required", default=True),
        description=fields.prose("description"),
        format=cast("InputFormat | None", form),
    )
