"""The client of the agent API: what can be run, running it, and asking what became of an approval."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

_TIMEOUT = httpx.Timeout(310.0, connect=5.0)


class AgentApiError(Exception):
    """The daemon answered with a failure envelope, or not at all."""

    def __init__(self, message: str, *, envelope: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.envelope = envelope


@dataclass(frozen=True, slots=True)
class ActionList:
    """The actions an agent may run, and the tag by which to ask whether they changed."""

    items: tuple[Mapping[str, Any], ...]
    etag: str | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """The action ran."""

    audit_id: str
    result: Any


@dataclass(frozen=True, slots=True)
class RunPending:
    """The action waits for a person."""

    approval_id: str
    review_url: str
    message: str


class AgentClient:
    """Talks to one daemon with one session token."""

    def __init__(self, base_url: str, token: str, *, ca_file: Path | None = None) -> None:
        verify = True if ca_file is None else ssl.create_default_context(cafile=str(ca_file))
        # trust_env is off: a proxy from the environment must not carry the token anywhere.
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
            trust_env=False,
            verify=verify,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def health(self) -> bool:
        """Say whether the daemon answers."""
        try:
            return (await self._http.get("/healthz")).is_success
        except httpx.HTTPError:
            return False

    async def list_actions(self, *, known: ActionList | None = None) -> ActionList:
        """Return the actions, or the known list itself if it is still true."""
        headers = {"If-None-Match": known.etag} if known is not None and known.etag is not None else {}
        answer = await self._ask("GET", "/v1/actions", headers=headers)
        if answer.status_code == httpx.codes.NOT_MODIFIED and known is not None:
            return known
        return ActionList(items=tuple(answer.json()["items"]), etag=answer.headers.get("etag"))

    async def run(self, name: str, arguments: Mapping[str, Any]) -> RunResult | RunPending:
        """Run an action; raises AgentApiError with the envelope when it fails."""
        answer = await self._ask("POST", f"/v1/actions/{quote(name, safe='')}/run", json={"arguments": dict(arguments)})
        body = answer.json()
        if answer.status_code == httpx.codes.ACCEPTED:
            return RunPending(body["approval_id"], body["review_url"], body["message"])
        return RunResult(body["audit_id"], body["result"])

    async def poll(self, approval_id: str, *, wait_seconds: float = 0) -> Mapping[str, Any]:
        """Return where an approval stands, waiting at most so long for an end."""
        path = f"/v1/action-approvals/{quote(approval_id, safe='')}/result"
        body: Mapping[str, Any] = (await self._ask("GET", path, params={"wait": wait_seconds})).json()
        return body

    async def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **options)
        except httpx.HTTPError as problem:
            raise AgentApiError(f"The Aileron daemon cannot be reached: {problem}") from problem
        if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
            return answer
        try:
            envelope = answer.json()
            message = str(envelope["error"]["message"])
        except (ValueError, KeyError, TypeError):
            raise AgentApiError(f"The Aileron daemon answered with status {answer.status_code}.") from None
        raise AgentApiError(message, envelope=envelope)
