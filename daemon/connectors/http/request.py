"""Reads a connector's request and checks it by the manifest: pure, and with a result for any text."""

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass
from typing import Any

from daemon.connectors.http.records import DenialKind, ErrorCode
from daemon.connectors.http.urls import Target, UrlError, parse_url
from daemon.core.authority import HostPort
from daemon.core.manifest import Manifest
from daemon.net.addresses import to_open

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024

_KEYS = frozenset({"method", "url", "headers", "body", "body_base64", "timeout_ms"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile("[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
# Framing, routing and connection headers belong to the host: a guest that sets one could split the request, or
# make a proxy see another request than the one that was checked.
_HOST_OWNED = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"}
)
# Some frameworks read these headers as the method or the URL of the request; then another request was checked.
# A-IM asks for the answer as a difference to an earlier one, which could not be scrubbed.
_MEANS_ANOTHER = frozenset(
    {
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "http-method-override",
        "x-original-url",
        "x-rewrite-url",
        "http2-settings",
        "a-im",
    }
)
_READABLE_CODINGS = frozenset({"gzip", "deflate", "identity"})


@dataclass(frozen=True, slots=True)
class RequestRules:
    """The rules for the requests of one connector."""

    hosts: frozenset[HostPort]
    plain_http: frozenset[HostPort]
    credential_header: str | None
    max_body_bytes: int

    @classmethod
    def of(cls, manifest: Manifest, *, allow_private: frozenset[HostPort], max_body_bytes: int) -> "RequestRules":
        """Take the rules from a manifest and what the person allowed."""
        header = None
        if manifest.credential is not None:
            inject = manifest.credential.inject
            header = inject.header if inject is not None else "Authorization"
        return cls(
            hosts=frozenset(manifest.hosts),
            plain_http=allow_private,
            credential_header=header,
            max_body_bytes=max_body_bytes,
        )


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """A request that keeps every rule that can be checked without the network."""

    method: str
    target: Target
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    timeout_seconds: float | None


@dataclass(frozen=True, slots=True)
class Denied:
    """A request that broke a rule; kind is set when the rule is one of the manifest's."""

    code: ErrorCode
    message: str
    kind: DenialKind | None = None
    host: str = ""


class _Refused(Exception):
    def __init__(self, message: str, *, code: ErrorCode = ErrorCode.BAD_REQUEST) -> None:
        super().__init__(message)
        self.denied = Denied(code, message)

    @classmethod
    def by(cls, kind: DenialKind, message: str, *, host: str) -> "_Refused":
        refused = cls(message)
        refused.denied = Denied(ErrorCode.DENIED, message, kind, host)
        return refused


def parse_request(text: str, rules: RequestRules) -> OutboundRequest | Denied:
    """Read the connector's JSON request; every text gives a request or a denial, and nothing is raised."""
    try:
        given = _read_object(text, rules)
        method = given.get("method")
        if not isinstance(method, str) or method not in METHODS:
            raise _Refused(f"method must be one of {', '.join(sorted(METHODS))}, in capitals.")
        target = check_target(_read_url(given.get("url")), rules)
        headers = _read_headers(given.get("headers", []), rules, host=str(target.host_port))
        return OutboundRequest(
            method=method,
            target=target,
            headers=headers,
            body=_read_body(given, rules),
            timeout_seconds=_read_timeout(given.get("timeout_ms")),
        )
    except _Refused as refused:
        return refused.denied


def redirect_target(current: Target, location: str, rules: RequestRules) -> Target | Denied:
    """Check a redirect by the rules for requests; besides, it must stay with the service that sent it."""
    host = str(current.host_port)
    try:
        target = current.join(location)
    except UrlError as error:
        return Denied(ErrorCode.DENIED, f"{host} redirects to a place whose URL {error}.", DenialKind.REDIRECT, host)
    if not current.same_origin(target):
        return Denied(
            ErrorCode.DENIED,
            f"{host} redirects to {target.scheme}://{target.host_port}; redirects to another host are not followed.",
            DenialKind.REDIRECT,
            str(target.host_port),
        )
    try:
        return check_target(target, rules)
    except _Refused as refused:
        return refused.denied


def check_target(target: Target, rules: RequestRules) -> Target:
    """Return the target if the manifest names it and its scheme is allowed there."""
    host = str(target.host_port)
    if target.host_port not in rules.hosts:
        raise _Refused.by(
            DenialKind.HOST, f"{host} is not one of the hosts that the connector's manifest names.", host=host
        )
    if target.scheme != "https" and target.host_port not in rules.plain_http:
        raise _Refused.by(
            DenialKind.SCHEME,
            f"{host} is reached over https only; for plain http, {to_open(target.host_port)}.",
            host=host,
        )
    return target


def _read_object(text: str, rules: RequestRules) -> dict[str, Any]:
    # JSON writes a byte in at most six characters; a million more are enough for the rest of a request.
    if len(text) > 6 * rules.max_body_bytes + 1_000_000:
        raise _Refused("The request is larger than any allowed body.", code=ErrorCode.TOO_LARGE)
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Refused("The request is not JSON.") from error
    if not isinstance(given, dict):
        raise _Refused("The request is not a JSON object.")
    unknown = given.keys() - _KEYS
    if unknown:
        shown = ascii(min(unknown)[:40])
        raise _Refused(f"The request has the unknown key {shown}; known are {', '.join(sorted(_KEYS))}.")
    return given


def _read_url(url: object) -> Target:
    if not isinstance(url, str):
        raise _Refused("url must be a string.")
    try:
        return parse_url(url)
    except UrlError as error:
        raise _Refused(f"The URL {error}.") from error


def _read_headers(headers: object, rules: RequestRules, *, host: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(headers, list):
        raise _Refused('headers must be a list of pairs like ["accept", "application/json"].')
    if len(headers) > MAX_HEADERS:
        raise _Refused(f"The request has more than {MAX_HEADERS} headers.", code=ErrorCode.TOO_LARGE)
    size = 0
    read: list[tuple[str, str]] = []
    for pair in headers:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], str)):
            raise _Refused('Each header must be a pair of strings like ["accept", "application/json"].')
        name, value = pair
        if not _TOKEN.fullmatch(name):
            raise _Refused("A header name contains characters that no header name may have.")
        if not _VALUE.fullmatch(value):
            raise _Refused(f"The value of the header {name[:60]} contains control characters.")
        size += len(name) + len(value.encode()) + 4
        if size > MAX_HEADER_BYTES:
            raise _Refused(f"The headers are larger than {MAX_HEADER_BYTES} bytes.", code=ErrorCode.TOO_LARGE)
        _check_header(name, value, rules, host=host)
        read.append((name, value))
    return tuple(read)


def names_same_header(one: str, other: str) -> bool:
    """Say whether an application may see one header behind two names: `X_Api_Key` and `x-api-key`, for example."""
    return one.lower().replace("_", "-") == other.lower().replace("_", "-")


def _check_header(name: str, value: str, rules: RequestRules, *, host: str) -> None:
    if rules.credential_header is not None and names_same_header(name, rules.credential_header):
        raise _Refused.by(
            DenialKind.CREDENTIAL_HEADER,
            f"The request sets {name[:60]}, the header into which the host puts the credential.",
            host=host,
        )
    folded = name.lower().replace("_", "-")
    if folded in _HOST_OWNED or folded.startswith("proxy-"):
        raise _Refused.by(DenialKind.HEADER, f"The request sets {name[:60]}, a header that the host owns.", host=host)
    if folded in _MEANS_ANOTHER:
        raise _Refused.by(
            DenialKind.HEADER,
            f"The request sets {name[:60]}, which would make another request of this one; send that one itself.",
            host=host,
        )
    if folded == "accept-encoding":
        codings = {part.partition(";")[0].strip().lower() for part in value.split(",")}
        if not codings <= _READABLE_CODINGS:
            raise _Refused("accept-encoding may name gzip, deflate and identity; leave the header out.")


def _read_body(given: dict[str, Any], rules: RequestRules) -> bytes | None:
    text, encoded = given.get("body"), given.get("body_base64")
    if text is not None and encoded is not None:
        raise _Refused("The request has both body and body_base64; give one.")
    if text is None and encoded is None:
        return None
    try:
        if text is None:
            if not isinstance(encoded, str):
                raise _Refused("body_base64 must be a string.")
            body = base64.b64decode(encoded, validate=True)
        else:
            if not isinstance(text, str):
                raise _Refused("body must be a string; use body_base64 for bytes.")
            body = text.encode()
    except (binascii.Error, ValueError) as error:
        raise _Refused("The body is not what its key promises: UTF-8 text, or base64.") from error
    if len(body) > rules.max_body_bytes:
        raise _Refused(
            f"The body has {len(body)} bytes; at most {rules.max_body_bytes} may be sent.", code=ErrorCode.TOO_LARGE
        )
    return body


def _read_timeout(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused("timeout_ms must be a number above zero.")
    try:
        seconds = value / 1000
    except OverflowError as error:
        raise _Refused("timeout_ms must be a number above zero.") from error
    if not (math.isfinite(seconds) and seconds > 0):
        raise _Refused("timeout_ms must be a number above zero.")
    return seconds
