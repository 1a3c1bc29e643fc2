"""What the status of an HTTP answer means for the request: pure."""

from collections.abc import Iterable
from typing import Any

from daemon.tools.servers.upstream.messages import SESSION_NOT_FOUND, Unreadable, decode
from daemon.tools.servers.upstream.seam import Message, Trouble, UpstreamError

Pairs = Iterable[tuple[bytes, bytes]]


def header(headers: Pairs, name: bytes) -> str | None:
    """Return the value of a header; several of one name are joined, as HTTP allows."""
    values = [value.decode("latin-1").strip() for each, value in headers if each == name]
    return ", ".join(values) if values else None


def media_type(headers: Pairs) -> str:
    """Return what kind of body an answer has."""
    return (header(headers, b"content-type") or "").partition(";")[0].strip().lower()


def error_in(body: bytes, number: int | None) -> Message | None:
    """Return the message in a body, if that is an error for this request or for none that was read."""
    found = decode(body) if body else Unreadable("it is empty")
    if isinstance(found, Unreadable) or len(found) != 1 or not isinstance(found[0].get("error"), dict):
        return None
    message = found[0]
    return {**message, "id": number} if message.get("id") in {None, number, "server-error"} else None


def session_is_gone(status: int, body: bytes, *, had_session: bool) -> bool:
    """Say whether the server refused because it does not know the session any more.

    The specification has 404 for it. Some servers say 400, and mean it only if their words say so and no request is
    named: a 400 about the request itself has the request's id.
    """
    if not had_session:
        return False
    found = decode(body) if body else ()
    message: Message = found[0] if not isinstance(found, Unreadable) and len(found) == 1 else {}
    error: Any = message.get("error")
    said = error if isinstance(error, dict) else {}
    if status == 404:
        return not isinstance(message.get("id"), int) or said.get("code") == SESSION_NOT_FOUND
    return status == 400 and not isinstance(message.get("id"), int) and "session" in str(said.get("message")).lower()


def problem_of(where: str, status: int, headers: Pairs) -> UpstreamError:
    """Return what a status of failure means, where the body says nothing in the words of the protocol."""
    if status in {401, 403}:
        message = {
            401: f"{where} wants a login, or another one.",
            403: f"{where} says that this login may not do this.",
        }[status]
        return UpstreamError(Trouble.UNAUTHORISED, message, code=status, challenge=header(headers, b"www-authenticate"))
    if status in {404, 405} or status == 406:
        message = f"{where} has no MCP server at this address (it answers {status}); check the URL."
        return UpstreamError(Trouble.REFUSED, message, code=status)
    if status == 429:
        wait = header(headers, b"retry-after")
        later = f" Try again in {wait} s." if wait is not None and wait.isdigit() else " Try again later."
        return UpstreamError(Trouble.REFUSED, f"{where} has had too many requests.{later}", code=status)
    if 400 <= status < 500:
        return UpstreamError(Trouble.REFUSED, f"{where} refused the request (it answers {status}).", code=status)
    # A server that failed may have done a part before, and a proxy that gave up knows nothing of it.
    return UpstreamError(Trouble.LOST, f"{where} failed (it answers {status}).", code=status)
