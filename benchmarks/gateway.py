"""The model gateway against nginx and against the upstream itself, on the same machine in the same run.

Run: python -m benchmarks.gateway [--rounds 3] [--litellm PATH]    (needs wrk and taskset; nginx for the comparison)

Three paths to one upstream: straight, through nginx (one worker, buffering off), through the daemon's gateway; a fourth
through LiteLLM's proxy, if the path of its program is given. The upstream is a small server of its own process: it
answers a 4 KB POST with a small JSON, and a stream with a hundred events at once. Everything is measured twice: with
both processors for all, and with every server pinned to one and the client to the other.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import re
import shutil
import socket
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
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 4000}]})
OWN_KEY = {"Authorization": "Bearer sk-own"}
ANSWER = json.dumps(
    {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
MANY_STREAMS = 10_000
OPEN_STREAMS = 500

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
            return web.Response(body=ANSWER, content_type="application/json")
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


def wrk(url: str, folder: Path, *, pinned: bool = False) -> float:
    """Return requests a second."""
    script = folder / "post.lua"
    script.write_text(
        "wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\n"
        f"wrk.headers['Authorization']='Bearer sk-own'\nwrk.body='{BODY}'\n"
    )
    done = subprocess.run(
        [
            *(["taskset", "-c", "1"] if pinned else []),
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{SECONDS}s",
            "-s",
            str(script),
            url,
        ],
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
    """Return how long each paced stream took to its first byte, in milliseconds, with the usual number open at once."""
    taken: list[float] = []

    async def worker(session: aiohttp.ClientSession) -> None:
        for _ in range(count // CONNECTIONS):
            began = time.perf_counter()
            async with session.post(f"{url}?pause=0.005", data=BODY, headers=OWN_KEY) as answer:
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
        session.post(f"{url}?pause=0.02", data=BODY, headers=OWN_KEY) as answer,
    ):
        return [
            (time.perf_counter() - float(line.split()[2])) * 1e3
            async for line in answer.content
            if line.startswith(b"data: ")
        ]


def shown(name: str, values: list[float]) -> str:
    """Write a distribution."""
    return f"{name} p50 {median(values):6.2f} ms, p99 {quantiles(values, n=100)[98]:6.2f} ms"


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def hold_open(url: str, pid: int) -> float:
    """Return the memory of a process while many slow streams go through it."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, contextlib.AsyncExitStack() as stack:
        opening = [session.post(f"{url}?pause=0.2", data=BODY, headers=OWN_KEY) for _ in range(OPEN_STREAMS)]
        answers = [await stack.enter_async_context(each) for each in opening]
        await asyncio.gather(*(answer.content.readany() for answer in answers))
        return resident(pid)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--litellm", help="the program litellm of an environment of its own (never 1.82.7 or 1.82.8)")
    parser.add_argument("--upstream", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.upstream:
        asyncio.run(upstream(given.upstream))
        return
    with tempfile.TemporaryDirectory() as name, UpstreamProcess() as unused:
        folder = Path(name)
        port, nginx_port, litellm_port = 18331, 18332, 18333
        servers = [subprocess.Popen([sys.executable, "-m", "benchmarks.gateway", "--upstream", str(port)])]
        settings = f'[gateway.providers.openai]\nbase_url = "http://127.0.0.1:{port}"\n'
        with World(folder, upstream=unused.url, settings=settings) as world:
            config = world.home / "config.toml"
            config.write_text(config.read_text().replace('["', f'["127.0.0.1:{port}", "', 1))
            world.start()
            assert world.process is not None
            _, token = world.session(kind="host")
            paths = {"upstream": f"http://127.0.0.1:{port}", "gateway": f"{world.agent_url}/llm/{token}"}
            if shutil.which("nginx"):
                place = folder / "nginx.conf"
                place.write_text(NGINX % {"folder": folder, "upstream": f"127.0.0.1:{port}", "port": nginx_port})
                servers.append(subprocess.Popen(["nginx", "-c", str(place)]))
                paths["nginx"] = f"http://127.0.0.1:{nginx_port}"
            if given.litellm:
                servers.append(litellm(given.litellm, folder, upstream=port, port=litellm_port))
                paths["LiteLLM"] = f"http://127.0.0.1:{litellm_port}"
            time.sleep(1)
            try:
                measure(paths, given.rounds, folder, pinned=False)
                memory(paths["gateway"], world.process.pid, folder)
                for process in (world.process, *servers):
                    pin(process.pid)
                measure(paths, given.rounds, folder, pinned=True)
            finally:
                for process in servers:
                    process.terminate()
                    process.wait(20)


def litellm(program: str, folder: Path, *, upstream: int, port: int) -> "subprocess.Popen[bytes]":
    """Start LiteLLM's proxy before the upstream, and wait until it answers."""
    place = folder / "litellm.yaml"
    place.write_text(
        f"""model_list: [{{model_name: m, litellm_params: {{model: openai/m, api_base: "http://127.0.0.1:{upstream}/v1",
  api_key: sk-own}}}}]
general_settings: {{master_key: sk-own}}
"""
    )
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [program, "--config", str(place), "--port", str(port), "--host", "127.0.0.1"]
    process = subprocess.Popen(command, env=os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}, **silent)
    for _ in range(120):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        time.sleep(0.5)
    raise RuntimeError("LiteLLM did not come up")


def pin(pid: int) -> None:
    """Let a process, with its threads and children, run on the first processor only."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    for each in (str(pid), *children):
        subprocess.run(["taskset", "-apc", "0", each], stdout=subprocess.DEVNULL, check=True)


def memory(gateway: str, pid: int, folder: Path) -> None:
    """Print what many streams, one after the other and all at once, leave in the daemon."""
    url = f"{gateway}/v1/responses"
    warm = resident(pid)
    done = 0.0
    while done < MANY_STREAMS:
        done += wrk(url, folder) * SECONDS
    after = resident(pid)
    held = asyncio.run(hold_open(url, pid))
    per_stream = (held - after) * 1024 / OPEN_STREAMS
    print(f"memory: {warm:.0f} MiB when warm, {after:.0f} after {done:.0f} more streams")
    print(f"memory: {held:.0f} MiB with {OPEN_STREAMS} streams open at once, {per_stream:.0f} KiB for each")


def measure(paths: dict[str, str], rounds: int, folder: Path, *, pinned: bool) -> None:
    """Alternate the paths, and print medians and ratios."""
    print("\nservers on one processor, client on the other" if pinned else "\nboth processors for all")
    rates: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in paths} for kind in ("json", "stream")}
    for _ in range(rounds):
        for name, base in paths.items():
            rates["json"][name].append(wrk(f"{base}/v1/chat/completions", folder, pinned=pinned))
            if name != "LiteLLM":  # it does not pass a stream on as it is
                rates["stream"][name].append(wrk(f"{base}/v1/responses", folder, pinned=pinned))
    for kind, unit in (("json", "small JSON"), ("stream", f"streams of {EVENTS} events")):
        middle = {name: median(values) for name, values in rates[kind].items() if values}
        line = ", ".join(f"{name} {value:.0f}/s" for name, value in middle.items())
        against = {name: middle["gateway"] / value for name, value in middle.items() if name != "gateway"}
        print(f"{unit}: {line}; gateway is {', '.join(f'{ratio:.2f} of {name}' for name, ratio in against.items())}")
    before = os.sched_getaffinity(0)
    if pinned:
        os.sched_setaffinity(0, {1})
    for name, base in paths.items():
        if name != "LiteLLM":
            first = asyncio.run(first_bytes(f"{base}/v1/responses", 320))
            print(shown(f"first byte, {CONNECTIONS} streams open, {name}:", first))
            print(shown(f"an event of a slow stream, {name}:", asyncio.run(delays(f"{base}/v1/responses"))))
    os.sched_setaffinity(0, before)


if __name__ == "__main__":
    main()
