"""What servers may ask an agent: which of it the agent answers, and in which form. Pure."""

from collections.abc import Mapping
from typing import Any, TypeGuard

import mcp_types as types
from mcp.server.session import ServerSession
from pydantic import BaseModel, ValidationError

ELICIT = "elicitation/create"
SAMPLE = "sampling/createMessage"
_DIE_OF_IT = ("goose",)
"""Clients that say they can ask a person, and abort their whole run when they are to and nobody is there."""

Asked = types.ElicitRequest | types.CreateMessageRequest
Answer = types.ElicitResult | types.CreateMessageResult | types.CreateMessageResultWithTools


def answers_of(session: ServerSession) -> tuple[str, ...]:
    """Return what the agent says that it answers, in the words of the daemon."""
    said = session.client_capabilities
    if said is None:
        return ()
    found = []
    if said.elicitation is not None and not _dies_of_it(session):
        found += [ELICIT, *(["elicitation/url"] if said.elicitation.url is not None else [])]
    if said.sampling is not None:
        parts = {"sampling/tools": said.sampling.tools, "sampling/context": said.sampling.context}
        found += [SAMPLE, *(name for name, part in parts.items() if part is not None)]
    return tuple(found)


def request_of(session: ServerSession, method: str, params: Mapping[str, Any]) -> Asked | None:
    """Return a question in the form of the protocol; None if the agent does not answer it, or it has no such form."""
    answers = answers_of(session)
    if method not in answers:
        return None
    if method == ELICIT and params.get("mode") == "url" and "elicitation/url" not in answers:
        return None
    if method == SAMPLE and ({"tools", "toolChoice"} & params.keys()) and "sampling/tools" not in answers:
        return None
    model = types.ElicitRequest if method == ELICIT else types.CreateMessageRequest
    try:
        return model.model_validate({"method": method, "params": params})
    except ValidationError:
        return None


def result_of(request: Asked) -> type[Answer]:
    """Return the form of the answer to a question."""
    if isinstance(request, types.ElicitRequest):
        return types.ElicitResult
    return types.CreateMessageResult if request.params.tools is None else types.CreateMessageResultWithTools


def fits(given: object, request: Asked) -> TypeGuard[Answer]:
    """Say whether something that an agent gave is an answer to a question."""
    if isinstance(request, types.ElicitRequest):
        return isinstance(given, types.ElicitResult)
    return isinstance(given, types.CreateMessageResult | types.CreateMessageResultWithTools)


def written(result: BaseModel) -> Mapping[str, Any]:
    """Return an answer as the server is to get it: what it asked for, and nothing that the agent says besides."""
    kept = {"action", "content"} if isinstance(result, types.ElicitResult) else _OF_A_MODEL
    return result.model_dump(by_alias=True, mode="json", exclude_none=True, include=kept)


def lacks(session: ServerSession, needed: object) -> Mapping[str, Any] | None:
    """Return what a server needs of its client, if the agent lacks all of it; None if that is not the reason."""
    said = session.client_capabilities
    if not isinstance(needed, list) or not needed:
        return None
    if any(said is not None and getattr(said, str(name), None) is not None for name in needed):
        return None
    return {str(name): {} for name in needed}


def _dies_of_it(session: ServerSession) -> bool:
    known = session.client_params
    return known is not None and known.client_info.name.lower().startswith(_DIE_OF_IT)


_OF_A_MODEL = {"role", "content", "model", "stop_reason"}
