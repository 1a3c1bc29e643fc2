"""What a model is told has one form: the next step first, every fact once, and no word that only we use."""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aileron_mcp import texts
from aileron_mcp.client import AgentApiError, AgentUnreachable, AnswerLost, NotSendable
from aileron_mcp.next_steps import next_step
from aileron_mcp.server import _INSTRUCTIONS
from aileron_mcp.texts import STATUS_TOOL, Reply
from aileron_mcp.tools import _STATUS_DESCRIPTION
from aileron_mcp.troubles import told
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.vault.errors import VaultLocked

ROOT = Path(__file__).resolve().parents[2]
ID = "apr_01a215f9-6bba-7600-9e29-51b21ac24331"
EVENT = "aud_01a215f9-6bba-7600-9e29-51b21ac24332"
URL = f"http://127.0.0.1:40000/approvals/{ID}"
OURS = re.compile(
    r"\b(envelopes?|boundar(y|ies)|fqn|spent|caveats?|canonical|dispatch(ed|es)?|settled?|settlement|principals?|guests?"
    r"|out of form|seams?|spine|tickets?|journal|digests?|subjects?|the one path)\b",
    re.IGNORECASE,
)
"""Words of ours that say nothing to a model, or something else: those of our records, our rooms and our source."""

REACHES_A_MODEL = ("approvals", "execution", "tools", "sessions", "gateway")
"""The rooms whose every sentence may reach a model, beside the modules below."""
MODULES = (
    *(f"daemon/core/{name}.py" for name in ("capabilities", "filling", "missing", "op_inputs", "schema", "subject")),
    *(f"daemon/connectors/{name}.py" for name in ("answers", "call", "inventory", "service", "store")),
    *(f"daemon/connectors/http/{name}.py" for name in ("exchange", "history", "mediator", "request", "codings")),
    *(f"daemon/vault/{name}.py" for name in ("bindings", "errors")),
    *("daemon/audit/budget.py", "daemon/audit/refusals.py", "daemon/api/agent.py", "daemon/api/answers.py"),
    *("daemon/net/addresses.py", "daemon/net/dialling.py", "daemon/connectors/wasm/guest_call.py"),
)


def failed(kind: FailureClass, message: str, *, retriable: bool = False, **details: Any) -> Mapping[str, Any]:
    failure = Failure(kind, message, boundary=Boundary.RUNTIME, retriable=retriable, details=details, audit_id=EVENT)
    return failure.envelope()


def of_status(status: str, message: str, **more: Any) -> Mapping[str, Any]:
    return {"approval_id": ID, "status": status, "message": message} | more


def closed(status: str, kind: FailureClass, message: str) -> Mapping[str, Any]:
    return of_status(status, message, error=failed(kind, message)["error"], audit_id=EVENT)


BIND = "aileron binding add file://aileron/wellbehaved"
ENVELOPES = {
    "locked": VaultLocked().with_audit_id(EVENT).envelope(),
    "busy": failed(
        FailureClass.RESOURCE_LIMIT_EXCEEDED,
        "64 calls of this session wait. Nothing was run. Try again when some end.",
        retriable=True,
        limit="waiting",
    ),
    "no key": failed(
        FailureClass.BINDING_REQUIRED,
        f"file://aileron/wellbehaved has no api_key credential; run: {BIND}",
        command=BIND,
        connector="file://aileron/wellbehaved",
    ),
    "wrong arguments": failed(
        FailureClass.INVALID_ARGUMENTS,
        "'url' is missing; give a string. 'x' is unknown; did you mean 'url'?",
        problems=["'url' is missing; give a string.", "'x' is unknown; did you mean 'url'?"],
    ),
    "cut off": failed(
        FailureClass.OUTCOME_UNKNOWN,
        "No complete answer to POST api.example.com (reset): it may have taken effect.",
        method="POST",
        host="api.example.com",
    ),
}
STANDINGS = {
    "pending": of_status("pending", "Nobody has decided yet."),
    "approved": of_status("approved", "It was approved and has not started yet."),
    "running": of_status("running", "It was approved and is running."),
    "completed": of_status("completed", "It was approved and has run.", result={"ok": True}, audit_id=EVENT),
    "denied": closed("denied", FailureClass.APPROVAL_DENIED, "A person denied ask-first: not today"),
    "expired": closed(
        "expired",
        FailureClass.APPROVAL_EXPIRED,
        "ask-first was not run. Nobody decided in time.",
    ),
    "void": closed(
        "void",
        FailureClass.APPROVAL_VOID,
        "ask-first was not run. Since the approval, the action file has changed.",
    ),
    "failed": of_status("failed", "m", error=ENVELOPES["no key"]["error"]),
    "unknown": of_status("unknown", "m", error=ENVELOPES["cut off"]["error"]),
}
LOST = "The Aileron daemon's answer did not come: reset."
AWAY = "The Aileron daemon cannot be reached: refused."
REPLIES: dict[str, Callable[[], Reply]] = {
    "waiting": lambda: texts.waiting(approval_id=ID, review_url=URL),
    **{f"stands {name}": lambda answer=answer: texts.standing(answer) for name, answer in STANDINGS.items()},
    **{name: lambda envelope=envelope: texts.failure(envelope) for name, envelope in ENVELOPES.items()},
    **{
        f"class {kind.value}": lambda kind=kind: texts.failure(failed(kind, "Something of it is so."))
        for kind in FailureClass
    },
    "away": lambda: told(AgentUnreachable(AWAY), "post_item", "ses_1"),
    "away while asking": lambda: told(AgentUnreachable(AWAY), STATUS_TOOL, "ses_1"),
    "lost": lambda: told(AnswerLost(LOST), "post_item", "ses_1"),
    "lost while asking": lambda: told(AnswerLost(LOST), STATUS_TOOL, "ses_1"),
    "not JSON": lambda: told(NotSendable("The arguments cannot be sent as JSON: nan."), "post_item", "ses_1"),
    "session over": lambda: told(
        AgentApiError("m", envelope=failed(FailureClass.CAPABILITY_DENIED, "The session has ended."), status=401),
        "x",
        "",
    ),
    "no envelope": lambda: told(AgentApiError("The Aileron daemon answered with status 502."), "post_item", ""),
}
FINISHED = {"stands completed"}
WORDS_BEFORE = 1088
"""So many words and ids the same replies had, in words and as data, in the form that this one took the place of."""
PROSE_BEFORE = {"text": 314, "data": 285}
"""So many words of sentences, without labels such as `audit id`, the same replies had in that form."""
NO_PROSE = re.compile(
    r"`?aileron [\w/:. -]+(`|$|\n)|https?://\S+|\b(apr|aud|ses)_[0-9a-f-]+|file://[\w./@-]+|\{.*\}|\w+\.example\.com"
    r"|\([a-z]+\)",
    re.MULTILINE,
)
"""Commands, addresses, ids, JSON, and names of hosts and errors: facts that no wording makes shorter."""
COUNTED = ("waiting", *(f"stands {name}" for name in STANDINGS), *ENVELOPES)


def sentences(text: str) -> list[str]:
    found = (each.strip(' .\n"{}()') for each in re.split(r"(?<=[.:;])\s|\n|\", \"", text))
    return [each.lower() for each in found if len(each.split()) > 2]


@pytest.mark.parametrize("name", REPLIES)
def test_every_reply_says_the_next_step_first_and_everything_once(name: str) -> None:
    reply = REPLIES[name]()
    data = json.dumps(reply.structured, ensure_ascii=False)
    for told_once in (reply.text, data):
        repeated = [sentence for sentence, times in Counter(sentences(told_once)).items() if times > 1]
        assert repeated == []
        assert told_once.count("http://127") <= 1
        assert told_once.count(EVENT) <= 1
        assert told_once.replace(URL, "").count(ID) <= 1
        assert OURS.search(told_once) is None, OURS.search(told_once)
    if name not in FINISHED:
        step = str(reply.structured["next_step"]).removesuffix(".").replace("approval_id", f'approval_id "{ID}"')
        assert reply.text.removeprefix(f"{reply.structured.get('status')}: ").startswith(step)
        assert next(iter(reply.structured)) in {"next_step", "status"}
    error = reply.structured.get("error")
    if error is not None:
        assert reply.failed
        assert error["class"] in reply.text
        assert error["message"] in reply.text
        assert not set(map(str, error.get("details", {}).values())) & set(sentences(error["message"]))


def test_the_replies_have_half_the_words_that_they_had() -> None:
    replies = [REPLIES[name]() for name in COUNTED]
    words = sum(len(re.findall(r"[\w-]+", f"{each.text} {json.dumps(each.structured)}")) for each in replies)
    assert words <= WORDS_BEFORE / 2, words


def prose(text: str) -> list[str]:
    """Return the words of the sentences in a text, without names of fields and classes."""
    return [word for word in re.findall(r"[\w'-]+", NO_PROSE.sub(" ", text)) if "_" not in word and not word.isdigit()]


def texts_in(value: Any) -> Iterator[str]:
    """Yield the sentences of structured data; a single word is a name or a value."""
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from texts_in(inner)
    elif isinstance(value, str) and " " in value:
        yield value


def test_the_sentences_alone_have_half_the_words_that_they_had_as_text_and_as_data() -> None:
    replies = [REPLIES[name]() for name in COUNTED]
    words = {
        "text": sum(len(prose(each.text)) for each in replies),
        "data": sum(len(prose(text)) for each in replies for text in texts_in(each.structured)),
    }
    for form, before in PROSE_BEFORE.items():
        assert words[form] <= before / 2, words


def test_what_a_model_needs_is_still_there() -> None:
    for name, envelope in ENVELOPES.items():
        said = REPLIES[name]()
        error = envelope["error"]
        for fact in (error["class"], error["audit_id"], *map(str, error["details"].values())):
            if fact != "waiting" and not fact.startswith("["):
                assert fact in said.text, (name, fact)
                assert fact in json.dumps(said.structured), (name, fact)
    waiting = REPLIES["waiting"]()
    for fact in (ID, URL, STATUS_TOOL, "Nothing has run yet", "not the tool again", f"show {ID[-8:]}"):
        assert fact in waiting.text
    assert "Try again when some end." in REPLIES["busy"]().text
    assert REPLIES["cut off"]().structured["next_step"].startswith("Do not repeat it")
    assert REPLIES["busy"]().structured["error"]["retriable"] is True


@pytest.mark.parametrize("kind", FailureClass)
def test_every_class_has_a_step_and_an_unknown_outcome_is_never_to_be_repeated(kind: FailureClass) -> None:
    for retriable in (False, True):
        step, message = next_step(
            {"class": kind.value, "message": "It is so. Try again later.", "retriable": retriable}
        )
        assert len(step.split()) <= 10
        if kind is FailureClass.OUTCOME_UNKNOWN:
            assert "Do not repeat it" in step
        else:
            assert (step, message) == ("Try again later.", "It is so.")


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every text of a module that is no docstring, with what is filled in written as `{…}`."""
    tree = ast.parse(path.read_text())
    unsaid = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    unsaid |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in unsaid:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{…}" for part in node.values)
            yield node.lineno, "".join(map(str, parts))


def test_no_sentence_of_the_product_that_reaches_a_model_repeats_itself_or_has_a_word_that_only_we_use() -> None:
    modules = [ROOT / name for name in MODULES]
    modules += [path for room in REACHES_A_MODEL for path in (ROOT / "daemon" / room).rglob("*.py")]
    modules += (ROOT / "aileron_mcp").glob("*.py")
    looked_at = 0
    for path in modules:
        for line, text in strings(path):
            if len(text.split()) < 4:
                continue  # names, keys and the like
            looked_at += 1
            where = f"{path.relative_to(ROOT)}:{line}: {text}"
            assert OURS.search(text) is None, where
            assert max(Counter(sentences(text)).values(), default=1) == 1, where
    assert looked_at > 300
    for text in (_STATUS_DESCRIPTION, _INSTRUCTIONS):
        assert OURS.search(text) is None
        assert len(text.split()) <= 45
