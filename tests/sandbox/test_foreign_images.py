"""Other people's images: without Python they work, on musl they are refused with a sentence that says why."""

import io
import tarfile
from collections.abc import Iterator

import pytest
from sandbox.engine import Shell, engine
from sandbox.test_sandboxed_agents import SHIPPED, Bench, bench  # noqa: F401 - the fixture

from daemon.sandbox.foreign import ForeignImage, lacks

pytestmark = pytest.mark.docker
PLAIN = "debian:bookworm-slim"


def tarball(*paths: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in paths:
            member = tarfile.TarInfo(path)
            member.size, member.mode = 1, 0o755
            archive.addfile(member, io.BytesIO(b"x"))
    return packed.getvalue()


@pytest.fixture(scope="module")
def images_of_others() -> Iterator[dict[str, str]]:
    """Offer an image on musl, and one with nothing in it."""
    client = engine()
    contents = {"musl": ("bin/sh", "lib/ld-musl-x86_64.so.1", "etc/alpine-release"), "empty": ("data",)}
    tags = {}
    for name, paths in contents.items():
        client.import_image_from_data(tarball(*paths), repository=f"aileron-test-{name}", tag="latest")
        tags[name] = f"aileron-test-{name}:latest"
    yield tags
    for tag in tags.values():
        client.remove_image(tag, force=True)
    client.close()


@pytest.mark.agents
def test_an_agent_works_in_an_image_without_python(bench: Bench) -> None:  # noqa: F811 - the fixture
    bench.upstream.forget()
    bench.upstream.behave("/item", json={"status": SHIPPED})
    bench.model.script("post_item", **bench.arguments())
    words = bench.words("codex")
    ended = bench.shell.run(*words[:2], "--image", PLAIN, *words[2:], seconds=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert SHIPPED in ended.stdout
    assert "1 action run" in ended.stderr


def test_the_image_keeps_its_own_and_gets_our_tools_read_only(shell: Shell) -> None:
    script = "command -v python3 || echo none; command -v codex; touch /opt/aileron/x 2>&1 | tail -c 22; echo $PATH"
    ended = shell.inside("sh", "-c", script, options=("--image", PLAIN))
    lines = ended.stdout.splitlines()
    assert lines[:2] == ["none", "/opt/aileron/bin/codex"], ended.stderr
    assert "Read-only file system" in ended.stdout
    assert lines[-1].startswith("/opt/aileron/bin:")


@pytest.mark.parametrize(
    ("name", "why"),
    [("musl", "built on musl, as Alpine is"), ("empty", "no shell at /bin/sh"), ("absent", "docker pull")],
)
def test_an_image_that_cannot_be_one_is_refused_with_a_sentence(
    shell: Shell, images_of_others: dict[str, str], name: str, why: str
) -> None:
    image = images_of_others.get(name, "aileron-test-absent:latest")
    for words in (["sandbox", "check", image], ["launch", "--sandbox", "--image", image, "codex"]):
        refused = shell.run(*words)
        assert refused.returncode != 0
        assert why in refused.stderr


def test_an_image_that_can_be_one_is_said_to(shell: Shell) -> None:
    assert "An agent can run in" in shell.run("sandbox", "check", PLAIN).stderr


def test_every_lack_has_its_sentence() -> None:
    def image(architecture: str = "amd64", system: str = "linux") -> ForeignImage:
        return ForeignImage("x", architecture, system, {})

    def has(*paths: str) -> list[str]:
        return lacks(image(), lambda path: path in paths)

    glibc, shell = "/lib64/ld-linux-x86-64.so.2", "/bin/sh"
    assert has(glibc, shell) == []
    assert "musl" in has("/lib/ld-musl-x86_64.so.1", shell)[0]
    assert "no C library" in has(shell)[0]
    assert len(has()) == 2
    assert "linux/arm64" in lacks(image("arm64"), lambda _: True)[0]
    assert "windows" in lacks(image(system="windows"), lambda _: True)[0]
    arm = "/lib/ld-linux-aarch64.so.1"
    assert lacks(image("arm64"), lambda path: path in (arm, shell), machine="aarch64") == []
    assert "linux/amd64" in lacks(image("amd64"), lambda _: True, machine="aarch64")[0]
    assert lacks(image("riscv64"), lambda _: True, machine="riscv64") != []
