"""What a model should do next, by what it was told: short, and the first thing it reads. Pure."""

import re
from collections.abc import Mapping
from typing import Any

_PERSON = "Tell the person."
_LATER = "Try again later."
_STEPS = {
    "approval_denied": "Do not repeat it.",
    "approval_expired": "Repeat if needed.",
    "approval_void": "Repeat if needed.",
    "audit_unavailable": _PERSON,
    "binding_failed": _PERSON,
    "binding_required": _PERSON,
    "capability_denied": "Tell the person; look for no way around it.",
    "connector_runtime_error": _PERSON,
    "external_api_error": "Read what the service says.",
    "hash_mismatch": _PERSON,
    "internal_error": _PERSON,
    "invalid_arguments": "Correct the arguments.",
    "network_error": _PERSON,
    "not_found": "Check the name.",
    "outcome_unknown": "Do not repeat it: look first.",
    "resource_limit_exceeded": "Ask for less, or tell the person.",
    "signature_failure": _PERSON,
    "vault_locked": _PERSON,
}


_SAID = re.compile(r"(?:(?<=\. )|(?<=; )|^)(?:Try|Ask|Call) again\b[^.]*\.(?: |$)")


def next_step(error: Mapping[str, Any]) -> tuple[str, str]:
    """Return the step for a failure, and its message without it.

    What the message itself says of another try goes first. A class that is not known here is for the person.
    """
    kind, message = str(error.get("class")), str(error.get("message"))
    said = _SAID.search(message)
    if kind == "outcome_unknown":
        return _STEPS[kind], message
    if said is not None:
        return said.group().strip(), (message[: said.start()] + message[said.end() :]).strip()
    return (_LATER if error.get("retriable") else _STEPS.get(kind, _PERSON)), message
