"""What a server offers beside tools: resources, prompts, completion. Each has a name of ours, as if it were a tool.

So rules, the log and approvals see them: `github__(read_resource)` in a rule is reading any resource of github.
No tool of a server can have such a name in records. Pure.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from daemon.core.canonical import canonical_json


@dataclass(frozen=True, slots=True)
class Operation:
    """One request of the protocol that is not the call of a tool."""

    name: str
    method: str
    may_repeat: bool
    """Whether doing it twice does no more than once. The protocol says so of lists; the rest may do something."""
    description: str

    @property
    def entries(self) -> str:
        """Return the name under which the answer to a list has its entries."""
        return "resourceTemplates" if self.method == "resources/templates/list" else self.method.partition("/")[0]

    @property
    def definition(self) -> str:
        """Return the hash of what it is."""
        return f"sha256:{hashlib.sha256(canonical_json({'method': self.method}).encode()).hexdigest()}"


def _list(name: str, method: str, what: str) -> Operation:
    return Operation(name, method, may_repeat=True, description=f"Lists {what} of the server.")


OPERATIONS: Mapping[str, Operation] = {
    each.name: each
    for each in (
        _list("(list_resources)", "resources/list", "the resources"),
        _list("(list_resource_templates)", "resources/templates/list", "the templates of resources"),
        _list("(list_prompts)", "prompts/list", "the prompts"),
        Operation("(read_resource)", "resources/read", may_repeat=False, description="Reads one resource."),
        Operation("(get_prompt)", "prompts/get", may_repeat=False, description="Makes one prompt."),
        Operation("(complete)", "completion/complete", may_repeat=False, description="Completes an argument."),
        Operation("(subscribe)", "resources/subscribe", may_repeat=False, description="Watches a resource."),
        Operation("(unsubscribe)", "resources/unsubscribe", may_repeat=False, description="Ends the watching."),
    )
}
"""Every request beside `tools/call` that may be made of a server for an agent, by our name of it."""


def named(method: str) -> str | None:
    """Return our name of a method of the protocol; None for one that no agent may make."""
    return next((each.name for each in OPERATIONS.values() if each.method == method), None)
