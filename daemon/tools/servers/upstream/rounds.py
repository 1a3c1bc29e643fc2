"""A request of the modern era that needs answers first: the server returns its questions, and is asked again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from daemon.tools.servers.upstream.eras import INPUT_REQUIRED
from daemon.tools.servers.upstream.messages import MISSING_CAPABILITY
from daemon.tools.servers.upstream.questions import METHODS
from daemon.tools.servers.upstream.seam import Answers, Asking, Message, Trouble, UpstreamError

Once = Callable[[Mapping[str, Any], Asking], Awaitable[dict[str, Any]]]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.25


async def through_rounds(once: Once, params: Mapping[str, Any], asking: Asking, *, most: int) -> dict[str, Any]:
    """Ask, answer what the server asks back, and ask again, until there is a result; raises UpstreamError.

    The time of the request counts only while the server has it, and not while a person answers.
    """
    loop = asyncio.get_running_loop()
    left, given, pause, asked = asking.seconds, params, _FIRST_PAUSE, 0
    for _ in range(most + 1):
        began = loop.time()
        result = await once(given, asking._replace(seconds=left) if left != asking.seconds else asking)
        if result.get("resultType") != INPUT_REQUIRED:
            return result
        left = max(0.0, left - (loop.time() - began))
        questions = result.get("inputRequests") or {}
        given = {key: value for key, value in params.items() if key not in {"inputResponses", "requestState"}}
        if questions:
            asked += len(questions) if isinstance(questions, dict) else most + 1
            if asked > most:
                break
            given["inputResponses"] = await _answered(questions, asking.answers)
        else:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if isinstance(result.get("requestState"), str):
            given["requestState"] = result["requestState"]
    # The server had the request, and may have done a part of it between its questions.
    raise UpstreamError(Trouble.MALFORMED, f"The server asks back without end; {most} answers were the limit.")


async def _answered(questions: Mapping[str, Any], answers: Answers | None) -> dict[str, Message]:
    """Have all questions of one round answered at the same time, so that who answers sees them together."""
    asked: list[tuple[str, str, Message]] = []
    for name, question in questions.items():
        method = question.get("method") if isinstance(question, dict) else None
        if method not in METHODS:
            raise UpstreamError(Trouble.MALFORMED, "The server asks back for something that the protocol has not.")
        if answers is None:
            raise UpstreamError(
                Trouble.REFUSED,
                f"The server asks back ({method}), and nobody here can answer.",
                code=MISSING_CAPABILITY,
            )
        params = question.get("params")
        asked.append((name, method, params if isinstance(params, dict) else {}))
    if answers is None:
        return {}
    answering = [asyncio.ensure_future(answers.answer(method, params, name)) for name, method, params in asked]
    try:
        given = await asyncio.gather(*answering)
    finally:
        for each in answering:
            each.cancel()  # one was turned down: nobody needs the others any more
    return {name: answer for (name, _, _), answer in zip(asked, given, strict=True)}
