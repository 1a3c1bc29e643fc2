"""A line of the daemon's log keeps everything that the caller gave it."""

import ast

from world import ROOT

TAKEN = {"message", "level", "logger", "timestamp"}
"""Fields that the log writes itself: a field of this name that a caller gives is lost."""
_CALLS = {"log", "debug", "info", "warning", "error", "exception"}


def test_no_caller_gives_a_field_that_the_log_writes_itself() -> None:
    seen, lost = 0, []
    for path in sorted((ROOT / "daemon").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS:
                given = {keyword.arg for keyword in node.keywords}
                logged = "log" in ast.unparse(node.func.value)
                seen += bool(logged and given)
                if logged and given & TAKEN:
                    lost.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert seen > 10
    assert lost == []
