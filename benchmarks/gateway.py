"""The model gateway against nginx and against the upstream itself, on the same machine in the same run.

Run: python -m benchmarks.gateway [--rounds 3]      (needs wrk, and nginx for the comparison)

Three paths to one upstream: straight, through nginx (one worker, buffering off), through the daemon's gateway. The
upstream is a small server of its own process: it answers a 4 KB POST with a small JSON, and a stream with a hundred
events at once.
"""

import argparse
import asyncio
import json
import logging
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import aiohttp
from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from services.upstream import UpstreamProcess
from world import World

SECONDS = 4
CONNECTIONS = 16
EVENTS = 100
BODY = json.dumps({"messages": [{"role": "user", "content": "x" * 4000}]})

NGINX = """
worker_processes 1; daemon off; pid %(folder)s/nginx.pid; error_log /dev/null;
events { worker_connections 2048; }
http {
  access_log off; client_body_temp_path %(folder)s/b; proxy_temp_path %(folder)s/p; fastcgi_temp_path %(folder)s/f;
  uwsgi_temp_path %(folder)s/u; scgi_temp_path %(folder)s/s; client_body_buffer_size 64k;
  upstream model { server %(upstream)s; keepalive 64; }
  server { listen 127.0.0.1:%(port)d; location / { proxy_pass http://model; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_buffering off; proxy_request_buffering off; } }
}
"""


async def upstream(port: int) -> None:
    """Be the model."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # clients that leave at the end of a round
        if request.path.endswith("/chat/completions"):
            return web.Response(body=b'{"choices":[{"message":{"content":"ok"}}]}', content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        pause = float(request.query.get("pause", "0"))
        for number in range(EVENTS):
            stamp = time.perf_counter() if pause else 0
            await response.write(f"data: {number} {stamp}\n\n".encode())
            if pause:
                await asyncio.sleep(pause)
        return response

    server = web.ServerRunner(web.Server(answer))
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


def wrk(url: str, folder: Path) -> float:
    """Return requests a second."""
    script = folder / "post.lua"
    script.write_text(
        "wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\n"
        f"wrk.headers['Authorization']='Bearer sk-own'\nwrk.body='{BODY}'\n"
    )
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script), url],
        capture_output=True,
        text=True,
        check=True,
    )
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    if failed:
        raise RuntimeError(done.stdout)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found is not None
    return float(found[1])


async def first_bytes(url: str, count: int) -> list[float]:
    """Return how long each stream took to its first byte, in milliseconds, at the usual concurrency."""
    taken: list[float] = []

    async def worker(session: aiohttp.ClientSession) -> None:
        for _ in range(count // CONNECTIONS):
            began = time.perf_counter()
            async with session.post(url, data=BODY, headers={"Authorization": "Bearer sk-own"}) as answer:
                await answer.content.readany()
                taken.append((time.perf_counter() - began) * 1e3)
                await answer.read()

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(worker(session) for _ in range(CONNECTIONS)))
    return taken


async def delays(url: str) -> list[float]:
    """Return how long each event of a slow stream was on its way, in milliseconds; one clock serves both processes."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}?pause=0.02", data=BODY, headers={"Authorization": "Bearer sk-own"}) as answer,
    ):
        return [
            (time.perf_counter() - float(line.split()[2])) * 1e3
            async for line in answer.content
            if line.startswith(b"data: ")
        ]


def shown(name: str, values: list[float]) -> str:
    """Write a distribution."""
    return f"{name} p50 {median(values):6.2f} ms, p99 {quantiles(values, n=100)[98]:6.2f} ms"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--upstream", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.upstream:
        asyncio.run(upstream(given.upstream))
        return
    with tempfile.TemporaryDirectory() as name, UpstreamProcess() as unused:
        folder = Path(name)
        port, nginx_port = 18331, 18332
        model = subprocess.Popen([sys.executable, "-m", "benchmarks.gateway", "--upstream", str(port)])
        settings = f'[gateway.providers.openai]\nbase_url = "http://127.0.0.1:{port}"\n'
        with World(folder, upstream=unused.url, settings=settings) as world:
            config = world.home / "config.toml"
            config.write_text(config.read_text().replace('["', f'["127.0.0.1:{port}", "', 1))
            world.start()
            _, token = world.session(kind="host")
            paths = {"upstream": f"http://127.0.0.1:{port}", "gateway": f"{world.agent_url}/llm/{token}"}
            proxy = None
            if shutil.which("nginx"):
                place = folder / "nginx.conf"
                place.write_text(NGINX % {"folder": folder, "upstream": f"127.0.0.1:{port}", "port": nginx_port})
                proxy = subprocess.Popen(["nginx", "-c", str(place)])
                paths["nginx"] = f"http://127.0.0.1:{nginx_port}"
            time.sleep(1)
            try:
                measure(paths, given.rounds, folder)
            finally:
                for process in (proxy, model):
                    if process is not None:
                        process.terminate()
                        process.wait(10)


def measure(paths: dict[str, str], rounds: int, folder: Path) -> None:
    """Alternate the paths, and print medians and ratios."""
    rates: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in paths} for kind in ("json", "stream")}
    for _ in range(rounds):
        for name, base in paths.items():
            rates["json"][name].append(wrk(f"{base}/v1/chat/completions", folder))
            rates["stream"][name].append(wrk(f"{base}/v1/responses", folder))
    for kind, unit in (("json", "small JSON"), ("stream", "streams of 100 events")):
        middle = {name: median(values) for name, values in rates[kind].items()}
        line = ", ".join(f"{name} {value:.0f}/s" for name, value in middle.items())
        against = {name: middle["gateway"] / value for name, value in middle.items() if name != "gateway"}
        print(f"{unit}: {line}; gateway is {', '.join(f'{ratio:.2f} of {name}' for name, ratio in against.items())}")
    for name, base in paths.items():
        print(
            shown(
                f"first byte at {CONNECTIONS} connections, {name}:",
                asyncio.run(first_bytes(f"{base}/v1/responses", 800)),
            )
        )
        slow = asyncio.run(delays(f"{base}/v1/responses"))
        print(shown(f"an event of a slow stream, {name}:", slow))


if __name__ == "__main__":
    main()
