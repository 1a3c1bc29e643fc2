"""Builds of images: one for all who want the same, given up when nobody waits, and told as steps and megabytes."""

import asyncio
import json
import socketserver
import threading
from collections.abc import AsyncGenerator, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox.engine import Engine
from daemon.sandbox.image_builds import BuildStream, Downloads, SharedBuilds, step_of
from daemon.sandbox.images import Images
from daemon.workspaces.layers.opening import Opened, open_folder, refused

Told = dict[str, Any]


class Build:
    """A build that goes on when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.given_up = False
        self.next: asyncio.Queue[Told] = asyncio.Queue()

    async def messages(self) -> AsyncGenerator[Told, None]:
        self.begun += 1
        try:
            while (told := await self.next.get()) != {}:
                yield told
        except asyncio.CancelledError:
            self.given_up = True
            raise


async def collected(builds: SharedBuilds, build: Build, into: list[Told]) -> None:
    async for each in builds.follow("tag", build.messages):
        into.append(each)  # noqa: PERF401 - as they come, and not at the end


async def test_who_comes_while_an_image_is_built_sees_that_build_from_its_beginning_and_no_second_one_begins() -> None:
    builds, build = SharedBuilds(), Build()
    first, second = list[Told](), list[Told]()
    one = asyncio.ensure_future(collected(builds, build, first))
    build.next.put_nowait({"text": "a"})
    await eventually(lambda: len(first) == 1)
    other = asyncio.ensure_future(collected(builds, build, second))
    await eventually(lambda: len(second) == 2)
    build.next.put_nowait({"done": "tag"})
    build.next.put_nowait({})
    await asyncio.gather(one, other)
    assert first == [{"text": "a"}, {"done": "tag"}]
    assert [second[0]["joined"], *second[1:]] == [True, *first]
    assert build.begun == 1


async def test_a_build_goes_on_when_one_of_two_leaves_and_is_given_up_when_the_last_one_does() -> None:
    builds, build = SharedBuilds(), Build()
    first, second = list[Told](), list[Told]()
    one = asyncio.ensure_future(collected(builds, build, first))
    await eventually(lambda: build.begun == 1)
    other = asyncio.ensure_future(collected(builds, build, second))
    await eventually(lambda: len(second) == 1)
    one.cancel()
    await asyncio.wait({one})
    build.next.put_nowait({"text": "still"})
    await eventually(lambda: second[-1] == {"text": "still"})
    assert not build.given_up
    other.cancel()
    await asyncio.wait({other})
    assert build.given_up
    again = Build()
    third = list[Told]()
    last = asyncio.ensure_future(collected(builds, again, third))
    again.next.put_nowait({"done": "tag"})
    again.next.put_nowait({})
    await last
    assert third == [{"done": "tag"}], "what was given up is begun anew"


async def test_a_build_from_files_that_may_have_changed_waits_for_the_other_shows_it_and_is_made_itself() -> None:
    builds, first, second = SharedBuilds(), Build(), Build()
    seen: list[list[Told]] = [[], []]

    async def own(build: Build, into: list[Told]) -> None:
        async for each in builds.in_turn("tag", build.messages):
            into.append(each)  # noqa: PERF401 - as they come, and not at the end

    one = asyncio.ensure_future(own(first, seen[0]))
    first.next.put_nowait({"text": "a"})
    await eventually(lambda: len(seen[0]) == 1)
    other = asyncio.ensure_future(own(second, seen[1]))
    await eventually(lambda: len(seen[1]) == 2)
    assert second.begun == 0
    for told in ({"error": "it cannot be built"}, {}):
        first.next.put_nowait(told)
    await one
    await eventually(lambda: second.begun == 1)
    for told in ({"text": "b"}, {"done": "tag"}, {}):
        second.next.put_nowait(told)
    await other
    assert seen[0] == [{"text": "a"}, {"error": "it cannot be built"}]
    assert [seen[1][0]["joined"], *seen[1][1:]] == [True, {"text": "a"}, {"text": "b"}, {"done": "tag"}]


async def test_a_build_that_fails_is_told_to_everybody() -> None:
    async def fails() -> AsyncGenerator[Told, None]:
        await asyncio.sleep(0.01)
        raise Failure(FailureClass.NOT_FOUND, "no engine", boundary=Boundary.SANDBOX)
        yield {}

    builds = SharedBuilds()

    async def follow() -> None:
        async for _ in builds.follow("tag", fails):
            pass

    ended = await asyncio.gather(follow(), follow(), return_exceptions=True)
    assert [str(each) for each in ended] == ["no engine", "no engine"]


def test_steps_and_downloads_are_read_from_what_the_engine_says() -> None:
    assert step_of("Step 3/17 : RUN x") == {"step": 3, "steps": 17}
    assert step_of(" ---> Using cache") == {}
    downloads = Downloads()
    line = {"status": "Downloading", "id": "a", "progressDetail": {"current": 5, "total": 10}}
    assert downloads.take(line) == {"downloaded": 5, "of": 10}
    assert downloads.take(line | {"id": "b"}) == {"downloaded": 10, "of": 20}
    assert downloads.take({"status": "Downloading", "id": "c", "progressDetail": {}}) is None
    assert downloads.take({"status": "Extracting", "id": "a", "progressDetail": {"current": 5, "total": 10}}) is None


class StandInEngine(socketserver.ThreadingUnixStreamServer):
    """An engine that says one step and then builds for ever, until who asked hangs up."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        self.hung_up = threading.Event()
        self.builds = 0
        self.sent = b""
        hung_up, engine = self.hung_up, self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def address_string(self) -> str:
                return "client"

            def do_GET(self) -> None:
                body = json.dumps({"ApiVersion": "1.43"}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                engine.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                engine.builds += 1
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                said = json.dumps({"stream": "Step 1/2 : RUN sleep"}).encode() + b"\r\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(said), said))
                self.wfile.flush()
                self.connection.settimeout(30)
                if self.connection.recv(1) == b"":
                    hung_up.set()
                self.close_connection = True

        super().__init__(path, Handler)


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[tuple[StandInEngine, str]]:
    path = str(tmp_path / "e.sock")
    with StandInEngine(path) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server, path
        server.shutdown()


async def test_two_builds_of_one_dockerfile_at_once_are_one_in_the_engine_and_end_when_nobody_listens(
    stand_in: tuple[StandInEngine, str], tmp_path: Path
) -> None:
    server, path = stand_in
    engine = Engine(socket=path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    images = Images(engine)
    opened = partial(open_folder, tmp_path)
    first, second = (images.build_own(tmp_path, tmp_path / "Dockerfile", {}, opened=opened) for _ in range(2))
    step = {"text": "Step 1/2 : RUN sleep", "step": 1, "steps": 2}
    assert await anext(first) == step
    assert (await anext(second))["joined"] is True
    assert await anext(second) == step
    assert server.builds == 1
    await first.aclose()
    assert not server.hung_up.is_set()
    await second.aclose()
    await eventually(server.hung_up.is_set)
    await engine.close()


async def test_a_context_that_is_swapped_after_it_was_checked_is_built_as_it_was_opened(
    stand_in: tuple[StandInEngine, str], tmp_path: Path
) -> None:
    server, path = stand_in
    engine = Engine(socket=path)
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    for folder in (mine, theirs):
        folder.mkdir()
        (folder / "Dockerfile").write_text("FROM scratch\n")
    (theirs / "sentinel-of-somebody-else").touch()

    held: list[Opened] = []

    def opened() -> Opened:
        held.append(open_folder(mine))
        mine.rename(tmp_path / "aside")
        mine.symlink_to(theirs)
        return held[0]

    build = Images(engine).build_own(mine, mine / "Dockerfile", {}, opened=opened)
    assert (await anext(build))["step"] == 1
    await build.aclose()
    await eventually(server.hung_up.is_set)
    assert b"FROM scratch" in server.sent
    assert b"sentinel" not in server.sent
    assert held[0].descriptor == -1, "it is closed"
    await engine.close()


async def test_a_context_that_is_not_allowed_any_more_when_its_build_begins_is_an_error_in_words(
    tmp_path: Path,
) -> None:
    def refuses() -> Opened:
        raise refused("it was replaced by a link")

    build = Images(Engine(socket=str(tmp_path / "none"))).build_own(
        tmp_path, tmp_path / "Dockerfile", {}, opened=refuses
    )
    assert [each async for each in build] == [{"error": "it was replaced by a link", "output": []}]


async def test_who_stops_listening_to_a_silent_build_stops_it_in_the_engine(
    stand_in: tuple[StandInEngine, str], tmp_path: Path
) -> None:
    server, path = stand_in
    engine = Engine(socket=path)
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\n")
    messages = BuildStream(engine, {"path": str(tmp_path / "context"), "tag": "x"}).messages()
    assert await anext(messages) == {"stream": "Step 1/2 : RUN sleep"}
    await messages.aclose()
    await eventually(server.hung_up.is_set)
    await engine.close()
