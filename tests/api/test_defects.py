"""A defect of ours is answered as one, and costs the caller no further request."""

from starlette.requests import Request

from daemon.api.envelopes import handlers


async def test_the_answer_to_a_defect_says_that_the_connection_ends() -> None:
    reported: list[Exception] = []
    on_bug = handlers(lambda _, problem: reported.append(problem), ())[Exception]
    answer = await on_bug(Request({"type": "http"}), RuntimeError("of ours"))
    assert (answer.status_code, answer.headers["connection"]) == (500, "close")
    assert [str(each) for each in reported] == ["of ours"]
