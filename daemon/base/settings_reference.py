"""Writes docs/configuration.md from the model: `python -m daemon.base.settings_reference > docs/configuration.md`."""

import json
import sys
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from daemon.base.settings import Settings
from daemon.base.settings_sections import RuleSettings, is_duration, is_size
from daemon.base.settings_shown import in_words, takes_effect_at_once

_HEAD = """# Configuration

<!-- Made from the model by `python -m daemon.base.settings_reference`; a test compares.
Edit daemon/base/settings_sections.py instead. -->

A setting is taken from the environment, or else from `config.toml` in the home (`~/.aileron`, or what `AILERON_HOME`
names), or else it has its default. A key that is not known is an error that names the nearest known one.

    aileron config show                          # every setting, its value, and where it comes from
    aileron config set vault.auto_lock 2h        # checked first; the file keeps its comments and its order
    aileron config edit                          # in your editor; what does not fit is not taken

A setting that takes effect *at once* is taken over by a running daemon when `config set`, `config remove` or `config
edit` has written it, and the audit log says who changed it, from what to what. The others take effect *at the next
start*: `aileron stop`, and the next command starts the daemon anew. A file that you write yourself is read at the next
start, or when one of these commands has changed something else.

Durations are written like `30s`, `5m`, `24h`, `7d`, sizes like `512MiB` or `4GiB`.
"""

_RULES = """
## Unattended rules

For runs that nobody watches, such as a CI pipeline, decide beforehand:

    [approvals.rules.ship-update]
    decision = "allow"
    reason = "Releases of this pipeline are announced automatically."

`ask` makes an action wait for a person even if its file does not; `deny` refuses it; `allow` lets it run although its
file asks for approval, and the reason is written into the audit log with every such run. The same in one command, at
once:

    aileron config set approvals.rules.ship-update '{ decision = "deny", reason = "Frozen until Monday." }'

Tools of MCP servers are named by the server's name and the server's own name of the tool, whatever name agents see:

    [approvals.rules."github__*"]
    decision = "ask"
    [approvals.rules.github__get_issue]
    decision = "allow"
    reason = "Reading issues is harmless."

`*` stands for every tool of the server, and for its resources and prompts; `github__get_*` is refused. The rule of
one tool goes before it, but a `deny` always holds. A tool that is denied stays in the list: an agent that
calls it is told the reason.
"""


def reference() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        parts.append(f"\n## `[{section}]`\n\n{model.__doc__}\n\n")
        parts.append(_table(section, model))
    parts.append(_RULES)
    parts.append("\n" + _table("approvals.rules.<tool>", RuleSettings))
    return "".join(parts)


def _table(section: str, model: type[BaseModel]) -> str:
    rows = ["| key | variable | default | takes effect | what it does |", "|---|---|---|---|---|"]
    for name, field in model.model_fields.items():
        variable = "" if "<" in section else f"`AILERON_{section}__{name}`".upper().replace("`aileron", "`AILERON")
        when = "at once" if "<" in section or takes_effect_at_once(field) else "at the next start"
        rows.append(f"| `{name}` | {variable} | {_default(field)} | {when} | {field.description} |")
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value: Any = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, dict) and value:
        shown = {
            name: v.model_dump(exclude_defaults=True) if isinstance(v, BaseModel) else v for name, v in value.items()
        }
        return f"`{json.dumps(shown)}`"
    if is_duration(field) or is_size(field):
        return f"`{in_words(field, value)}`"
    return f"`{value!r}`".replace("'", '"')


if __name__ == "__main__":
    sys.stdout.write(reference())
