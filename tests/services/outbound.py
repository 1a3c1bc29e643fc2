"""A connector call without a connector: builds manifests and call contexts against real upstreams."""

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from daemon.connectors.http import CallContext, InjectedHeader, NetworkPolicy, OutboundHttp
from daemon.core.authority import HostPort
from daemon.core.fqn import Fqn
from daemon.core.manifest import Credential, Injection, Limits, Manifest
from daemon.core.semver import Version
from daemon.net.addresses import IpAddress
from tests.services.upstream import Upstream

SECRET = "sk-live-9f8e7d6c5b4a3921"


class WallClock:
    """The real clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class Names:
    """A name service whose answers a test writes, one answer for each lookup; the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {host.replace("_", "."): list(found) for host, found in answers.items()}
        self.lookups: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[IpAddress]:
        self.lookups.append(host)
        answers = self.answers.get(host)
        if not answers:
            raise OSError(f"no address for {host}")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [ip_address(text) for text in found]


def manifest_for(
    *hosts: str, header: str | None = "Authorization", credential_hosts: Sequence[str] | None = None
) -> Manifest:
    """Build the manifest of a connector that reaches these hosts."""
    reach = tuple(HostPort.parse(host) for host in hosts)
    credential = None
    if header is not None:
        secret_hosts = reach if credential_hosts is None else tuple(map(HostPort.parse, credential_hosts))
        credential = Credential("api_key", None, Injection(header, "Bearer {secret}"), secret_hosts)
    return Manifest(
        Fqn.parse("github://acme/slack"), Version.parse("1.0.0"), "test", True, reach, credential, Limits(), {}
    )


class Call:
    """One connector call: a context, what it told, and a short way to make requests."""

    def __init__(
        self,
        http: OutboundHttp,
        manifest: Manifest,
        *,
        idempotent: bool = True,
        seconds: float = 10.0,
        credential: Callable[[HostPort], InjectedHeader | None] | None = None,
        before_send: Callable[[], Any] | None = None,
    ) -> None:
        self.marks = 0
        self.asked: list[str] = []
        self.events: list[Any] = []
        self._credential = credential
        self._before = before_send
        self.context: CallContext = http.call_context(
            manifest=manifest,
            credential=self._inject,
            deadline=time.monotonic() + seconds,
            op_idempotent=idempotent,
            before_send=self._mark,
            on_event=self.events.append,
        )

    def _inject(self, host: HostPort) -> InjectedHeader | None:
        self.asked.append(str(host))
        if self._credential is not None:
            return self._credential(host)
        return InjectedHeader("Authorization", f"Bearer {SECRET}", (SECRET,))

    async def _mark(self) -> None:
        self.marks += 1
        if self._before is not None:
            await self._before()

    async def raw(self, text: str) -> tuple[bool, dict[str, Any]]:
        ok, answer = await self.context(text)
        return ok, json.loads(answer)

    async def send(self, method: str, url: str, **more: Any) -> tuple[bool, dict[str, Any]]:
        return await self.raw(json.dumps({"method": method, "url": url, **more}))


class Outside:
    """Makes upstreams and clients for one test, and closes them after it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def upstream(self, **how: Any) -> Upstream:
        return await self._stack.enter_async_context(Upstream(**how))

    async def client(
        self, *allowed: str, ca_file: Path | None = None, names: Names | None = None, **policy: Any
    ) -> OutboundHttp:
        http = OutboundHttp(
            policy=NetworkPolicy(
                allow_private=frozenset(map(HostPort.parse, allowed)), extra_ca_file=ca_file, **policy
            ),
            clock=WallClock(),
            entropy=os.urandom,
            resolver=names,
        )
        await http.start()
        self._stack.push_async_callback(http.close)
        return http

    async def call(self, up: Upstream, *, header: str | None = "Authorization", **how: Any) -> Call:
        """A call whose connector may reach one upstream that the user allowed."""
        policy = {key: how.pop(key) for key in ("max_request_bytes", "max_response_bytes", "names") if key in how}
        http = await self.client(up.host_port, ca_file=up.ca_file if up.tls else None, **policy)
        return Call(http, manifest_for(up.host_port, header=header), **how)
