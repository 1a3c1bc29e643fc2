"""Event types and attribute keys stand in daemon/core/vocabulary.py, and nowhere else as literals."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from daemon.core.vocabulary import Attr, EventType

ROOT = Path(__file__).resolve().parents[2]
TYPES = {each.value for each in EventType}
ATTRIBUTES = {value for name, value in vars(Attr).items() if not name.startswith("_")}
FAMILIES = "|".join({each.partition(".")[0] for each in TYPES})
LIKE_A_TYPE = re.compile(rf"(?:{FAMILIES})\.[a-z_]+")
LIKE_AN_ATTRIBUTE = re.compile(r"(?:aileron|error|http|url|process|server|client|exception)(?:\.[a-z_]+)+")
NO_EVENTS = re.compile(
    r"""
    .*\.(?:json|key|html|pem|wasm|toml|log|md|db|sock|css|jsonl)    # names of files
    | (?:audit|approval|execution|connector|vault|session|workspace|sandbox)\.(?:before|after)_\w+  # fault points
    | execution\.place_taken | audit\.(?:seal|running|budget|seal_written|session_hourly)
    | connector\.(?:install|trust_key|denials_not_audited)
    | aileron\.(?:browser|only_session|api|internal|claims|principal|actor)   # keys of a request's scope
    | io\.aileron\..* | http\.(?:request|disconnect|response\.(?:start|body)) # messages of ASGI
    """,
    re.VERBOSE,
)


def literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_no_room_spells_an_event_type_or_an_attribute_by_itself() -> None:
    found = []
    for file in sorted((ROOT / "daemon").rglob("*.py")):
        room = file.relative_to(ROOT).as_posix()
        if room == "daemon/core/vocabulary.py" or room.startswith("daemon/cli/"):  # the command line reads JSON
            continue
        for line, text in literals(ast.parse(file.read_text())):
            known = text in TYPES or text in ATTRIBUTES
            looks = LIKE_A_TYPE.fullmatch(text) or LIKE_AN_ATTRIBUTE.fullmatch(text)
            if known or (looks and not NO_EVENTS.fullmatch(text)):
                found.append(f"{room}:{line}: {text}")
    assert not found, "say it by its name in daemon/core/vocabulary.py: " + ", ".join(found)


def test_every_word_of_the_vocabulary_is_used() -> None:
    used = "\n".join(file.read_text() for file in (ROOT / "daemon").rglob("*.py") if file.name != "vocabulary.py")
    names = [f"EventType.{each.name}" for each in EventType]
    names += [f"Attr.{name}" for name in vars(Attr) if not name.startswith("_")]
    assert [name for name in names if not re.search(rf"\b{re.escape(name)}\b", used)] == []
