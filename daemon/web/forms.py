"""What a form of ours sent, once it is certain that it was ours."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import Request

from daemon.api.browser import BrowserSession

_MOST_FIELDS = 2000


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form."""

    fields: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str:
        """Return the value of a field; empty if it was not sent."""
        return self.all(name)[0] if self.all(name) else ""

    def all(self, name: str) -> Sequence[str]:
        """Return every value that was sent for a field."""
        return self.fields.get(name, ())


async def read_form(request: Request, browser: BrowserSession) -> Form | None:
    """Return the form, or None if it does not carry the token of this browser's pages."""
    try:
        form = Form(parse_qs((await request.body()).decode("utf-8"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        form = Form({})
    if not hmac.compare_digest(form.one("csrf").encode(), browser.csrf_token.encode()):
        return None
    return form
