"""What a server asks, read from its request: a form to fill in, or a page to open. Nothing of it is trusted. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.forms.form import Form
from daemon.core.forms.reading import FormError, read_form

ELICIT = "elicitation/create"
OF_THE_PERSON: Mapping[str, Any] = {"elicitation": {"form": {}, "url": {}}}
"""What a person can be asked, in the words in which a client of MCP says what it can."""
MOST_MESSAGE = 4000
_MOST_URL = 2000


@dataclass(frozen=True, slots=True)
class Page:
    """A page that the person is asked to open themselves. It is shown, and never opened or fetched by us."""

    url: str
    host: str
    """Where it leads, in the form that no letter of another script can imitate."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. It has a form or a page, never both."""

    message: str
    form: Form | None
    page: Page | None

    @property
    def digest(self) -> str:
        """Return a hash of what was asked, so that the log and the screen can be compared."""
        what = {
            "message": self.message,
            "fields": None if self.form is None else self.form.as_json(),
            "url": None if self.page is None else self.page.url,
        }
        return f"sha256:{hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()}"


def read_asked(method: str, params: Mapping[str, Any]) -> Asked:
    """Return what is asked; raise the Failure of what no person is asked, or could not be shown."""
    if method != ELICIT:
        raise _refused(f"Nobody here answers {method[:100]}.")
    message = params.get("message")
    if not isinstance(message, str) or len(message) > MOST_MESSAGE:
        raise _refused(f"The message of a question is a text of at most {MOST_MESSAGE:,} characters.")
    if params.get("mode", "form") == "url":
        return Asked(message, None, _page(params.get("url")))
    try:
        return Asked(message, read_form(params.get("requestedSchema")), None)
    except FormError as problem:
        raise _refused(f"The form cannot be shown to a person: {problem}.") from None


def _page(url: Any) -> Page:
    if not isinstance(url, str) or len(url) > _MOST_URL or not url.isprintable() or " " in url:
        raise _refused(f"The url of a question is an address of at most {_MOST_URL:,} characters.")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host.encode("idna").decode()
        port = parts.port
    except ValueError:
        raise _refused("The url of a question cannot be read.") from None
    if parts.scheme not in {"http", "https"} or not host or "\\" in url:
        raise _refused("The url of a question begins with https:// or http:// and names a host.")
    if "@" in parts.netloc:
        # `https://bank.example@evil.example/` reads like the first host and leads to the second one.
        raise _refused("The url of a question has no user name in it.")
    return Page(url, host if port is None else f"{host}:{port}")


def _refused(message: str) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.EXTERNAL)
