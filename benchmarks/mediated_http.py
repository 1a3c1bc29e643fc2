"""What mediation costs: the same small POST through a CallContext and through a bare aiohttp session.

Run: python -m benchmarks.mediated_http
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import aiohttp

from daemon.connectors.http import InjectedHeader, NetworkPolicy, OutboundHttp, Scrubber
from daemon.core.authority import HostPort
from daemon.core.fqn import Fqn
from daemon.core.manifest import Credential, Injection, Limits, Manifest
from daemon.core.semver import Version
from daemon.net.trust import service_trust

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from tests.services.upstream import UpstreamProcess

SECRET = "sk-live-9f8e7d6c5b4a3921"
REQUESTS = 640
ROUNDS = 9


class _WallClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


async def _no_mark() -> None:
    pass


async def _rate(one: Callable[[], Awaitable[None]], *, concurrency: int) -> float:
    async def several() -> None:
        for _ in range(REQUESTS // concurrency):
            await one()

    started = time.perf_counter()
    await asyncio.gather(*(several() for _ in range(concurrency)))
    return (time.perf_counter() - started) / REQUESTS


async def measure(up: UpstreamProcess) -> None:
    """Print the time for one request, bare and mediated, alone and sixteen at a time."""
    place = HostPort.parse(up.host_port)
    manifest = Manifest(
        Fqn.parse("github://acme/slack"), Version.parse("1.0.0"), "bench", True, (place,),
        Credential("api_key", None, Injection("Authorization", "Bearer {secret}"), (place,)), Limits(), {},
    )  # fmt: skip
    policy = NetworkPolicy(allow_private=frozenset({place}), extra_ca_file=up.ca_file if up.tls else None)
    http = OutboundHttp(policy=policy, clock=_WallClock(), entropy=os.urandom)
    await http.start()
    injected = InjectedHeader("Authorization", f"Bearer {SECRET}", (SECRET,))
    body = json.dumps({"channel": "#engineering", "text": "Shipped." * 8})
    request = json.dumps(
        {"method": "POST", "url": f"{up.url}/fixed", "headers": [["content-type", "application/json"]], "body": body}
    )

    async def mediated() -> None:
        call = http.call_context(
            manifest=manifest,
            credential=lambda _: injected,
            deadline=time.monotonic() + 30,
            op_idempotent=True,
            before_send=_no_mark,
        )
        ok, _answer = await call(request)
        assert ok

    connector = (
        aiohttp.TCPConnector(ssl=service_trust(up.ca_file), limit=512) if up.tls else aiohttp.TCPConnector(limit=512)
    )
    async with aiohttp.ClientSession(connector=connector) as session:

        async def bare() -> None:
            async with session.post(
                f"{up.url}/fixed",
                data=body.encode(),
                headers={"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"},
            ) as response:
                json.dumps({"status": response.status, "body": (await response.read()).decode()})

        for concurrency in (1, 16):
            pairs = [
                (await _rate(bare, concurrency=concurrency), await _rate(mediated, concurrency=concurrency))
                for _ in range(ROUNDS)
            ]
            plain, ours = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
            ratio = median(pair[1] / pair[0] for pair in pairs)  # of neighbours in time: machines change their speed
            kind = "TLS" if up.tls else "plain"
            print(
                f"{kind:5} concurrency {concurrency:2}: bare {plain * 1e6:5.0f} us, mediated {ours * 1e6:5.0f} us, "
                f"ratio {ratio:.2f}, {1 / ours:.0f} requests/s"
            )
    await http.close()


def measure_scrubbing() -> None:
    """Print the time to scrub bodies that hold no secret, and to build a scrubber."""
    secrets = {f"Bearer {SECRET}", SECRET}
    started = time.perf_counter()
    for _ in range(1000):
        scrubber = Scrubber(secrets)
    print(f"scrubber built in {(time.perf_counter() - started) * 1e3:.0f} us")
    line = (json.dumps({"id": 12345, "text": "sk-life and other \\ words %20"}) + "\n").encode()
    for size in (1 << 10, 64 << 10, 1 << 20):
        body = (line * (size // len(line) + 1))[:size]
        rounds = max(3, (4 << 20) // size)
        started = time.perf_counter()
        for _ in range(rounds):
            scrubber.scrub_bytes(body)
        print(f"scrub {size >> 10} KiB: {(time.perf_counter() - started) / rounds * 1e6:.0f} us")


def main() -> None:
    """Measure and print."""
    measure_scrubbing()
    for tls in (False, True):
        with UpstreamProcess(tls=tls) as up:
            up.behave("/fixed", json={"ok": True, "ts": "1700000000.000100", "channel": "C123"})
            asyncio.run(measure(up))


if __name__ == "__main__":
    main()
