"""Makes pages of templates, each with the headers that keep scripts, frames and caches away."""

from typing import Any

from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from daemon.core.visible import visible
from daemon.web.blocks import marked

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with that a browser says `Origin: null` of our own forms, and the door refuses them.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Renderer:
    """Knows the templates."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("daemon.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters["marked"] = marked
        self._templates.filters["visible"] = visible  # where a browser takes no marks: in an option of a list

    def page(self, name: str, *, status: int = 200, **values: Any) -> Response:
        """Return one page."""
        return HTMLResponse(self._templates.get_template(name).render(**values), status_code=status, headers=HEADERS)

    def sign_in(self, what: str = "approval <id>") -> Response:
        """Return the page for a browser that is not signed in, with the command that signs it in."""
        return self.page("sign_in.html", status=401, command=f"aileron open {visible(what)[:80]}")
