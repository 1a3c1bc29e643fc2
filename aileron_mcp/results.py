"""Results of calls as the protocol has them: a model of the library, or the line that a client reads. Pure."""

import contextlib

import mcp_types as types
from mcp_types.methods import serialize_server_result
from pydantic import ValidationError
from pydantic_core import to_json

from aileron_mcp.lines import encode
from aileron_mcp.texts import Reply

_PLAIN_TEXT = {"type", "text"}


def model_of(reply: Reply) -> types.CallToolResult:
    """Return a reply as the model of a result."""
    return types.CallToolResult(
        content=_blocks(reply),
        structured_content=reply.structured,
        is_error=reply.failed,
        _meta=None if reply.meta is None else dict(reply.meta),
    )


def result_line(number: types.RequestId, reply: Reply, version: str) -> bytes:
    """Return the line that answers a request of the older era with a reply.

    Most results are text, and an object beside it or nothing. They are written as they are; any other goes through the
    models of the library, as it would if the library had handled the request. A test compares the two ways.
    """
    if (reply.structured is None or type(reply.structured) is dict) and all(map(_is_text, reply.content)):
        try:
            return _plain_line(number, reply)
        except ValueError:
            pass  # a text that no UTF-8 can hold
    dumped = model_of(reply).model_dump(by_alias=True, mode="json", exclude_none=True)
    try:
        result = serialize_server_result("tools/call", version, dumped)
    except ValidationError:
        error = types.ErrorData(code=types.INTERNAL_ERROR, message="Handler returned an invalid result")
        return error_line(number, error)
    return encode(types.JSONRPCResponse(jsonrpc="2.0", id=number, result=result))


def error_line(number: types.RequestId, error: types.ErrorData) -> bytes:
    """Return the line that answers a request with an error."""
    return encode(types.JSONRPCError(jsonrpc="2.0", id=number, error=error))


def _is_text(block: object) -> bool:
    return (
        type(block) is dict and block.keys() == _PLAIN_TEXT and block["type"] == "text" and type(block["text"]) is str
    )


def _plain_line(number: types.RequestId, reply: Reply) -> bytes:
    result: dict[str, object] = {"content": reply.content or ({"type": "text", "text": reply.text},)}
    if reply.structured is not None:
        result["structuredContent"] = reply.structured
    result["isError"] = reply.failed
    if reply.meta is not None:
        result["_meta"] = reply.meta
    return to_json({"jsonrpc": "2.0", "id": number, "result": result}, inf_nan_mode="null") + b"\n"


def _blocks(reply: Reply) -> list[types.ContentBlock]:
    """Return a reply in blocks; blocks of a kind that MCP does not know are told as the text they stand for."""
    with contextlib.suppress(ValidationError):
        if reply.content:
            return types.CallToolResult.model_validate({"content": list(reply.content)}).content
    return [types.TextContent(type="text", text=reply.text)]
