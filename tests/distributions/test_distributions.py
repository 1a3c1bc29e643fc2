"""What each of the three distributions brings, and that it works with nothing but what it declares."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from email.parser import Parser
from pathlib import Path

import pytest
from distributions.environments import CleanEnvironment
from world import ROOT

from aileron_mcp.version import VERSION

BRINGS = {
    "aileron_runtime": {"daemon", "launchers", "migrations", "aileron_mcp", "sandbox_image"},
    "aileron_mcp": {"aileron_mcp"},
    "aileron_testing": {"aileron_testing"},
}
_IMPORT_ALL = """
import importlib, pathlib, sys
for top in sys.argv[1:]:
    folder = pathlib.Path(importlib.import_module(top).__file__).parent
    for path in sorted(folder.rglob("*.py")):
        if path.name != "__main__.py":
            importlib.import_module(".".join(path.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__"))
"""
_NAMED_TOO = 'pytest_plugins = ["aileron_testing.plugin"]\n'
_SUITE = """
import importlib.util
import sys


def test_a_fixture_is_there_without_a_line_in_the_suite(aileron_sandbox):
    aileron = aileron_sandbox()
    aileron.bind("provider://openai", api_key="test-key")
    aileron.assert_event("binding.created")
    aileron.verify()


def test_no_package_of_the_daemon_came_along():
    for name in ("daemon", "launchers", "migrations", "sandbox_image", "aileron_mcp"):
        assert importlib.util.find_spec(name) is None, name
"""

Make = Callable[[str], CleanEnvironment]


@pytest.fixture(scope="module")
def environment(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Offer a function that gives the environment of one wheel."""
    made: dict[str, CleanEnvironment] = {}

    def make(name: str) -> CleanEnvironment:
        if name not in made:
            made[name] = CleanEnvironment(tmp_path_factory.mktemp(name), wheel_of(released, name))
        return made[name]

    return make


def wheel_of(released: Path, name: str) -> Path:
    """Return the wheel of a distribution."""
    (wheel,) = released.glob(f"{name}-*.whl")
    return wheel


def contents(wheel: Path) -> dict[str, bytes]:
    """Return what is in a wheel, by its name, without what describes the wheel."""
    with zipfile.ZipFile(wheel) as packed:
        return {name: packed.read(name) for name in packed.namelist() if ".dist-info/" not in name}


@pytest.mark.parametrize("name", BRINGS)
def test_a_wheel_brings_its_own_packages_and_no_others(released: Path, name: str) -> None:
    assert {path.split("/")[0] for path in contents(wheel_of(released, name))} == BRINGS[name]


@pytest.mark.parametrize("name", BRINGS)
def test_a_wheel_has_the_version_the_license_and_no_address_that_somebody_could_take(released: Path, name: str) -> None:
    with zipfile.ZipFile(wheel_of(released, name)) as packed:
        about = f"{name}-{VERSION}.dist-info"
        described = Parser().parsestr(packed.read(f"{about}/METADATA").decode())
        assert packed.read(f"{about}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert (described["Version"], described["License-Expression"]) == (VERSION, "Apache-2.0")
    addresses = [line.split(", ")[1].split("/")[2] for line in described.get_all("Project-URL", [])]
    assert addresses
    assert set(addresses) == {"project-url-not-set.invalid"}


def test_the_distribution_has_a_name_that_is_ours_and_the_command_stays_aileron(released: Path) -> None:
    with zipfile.ZipFile(wheel_of(released, "aileron_runtime")) as packed:
        about = f"aileron_runtime-{VERSION}.dist-info"
        described = Parser().parsestr(packed.read(f"{about}/METADATA").decode())
        commands = packed.read(f"{about}/entry_points.txt").decode()
    assert described["Name"] == "aileron-runtime"
    assert re.search(r"^aileron\s*=\s*daemon\.cli\.main:main$", commands, re.MULTILINE)


@pytest.mark.parametrize("name", ["aileron_mcp", "aileron_testing"])
def test_types_are_public_where_others_import(released: Path, name: str) -> None:
    assert f"{name}/py.typed" in contents(wheel_of(released, name))


def test_what_two_distributions_bring_is_the_same_in_both(released: Path) -> None:
    alone = contents(wheel_of(released, "aileron_mcp"))
    whole = contents(wheel_of(released, "aileron_runtime"))
    assert alone == {name: content for name, content in whole.items() if name.startswith("aileron_mcp/")}


def test_no_distribution_asks_an_index_for_a_name_of_ours(released: Path) -> None:
    # They are on no index, so that whoever registers such a name there would be installed with the daemon's rights.
    for name in BRINGS:
        with zipfile.ZipFile(wheel_of(released, name)) as packed:
            metadata = packed.read(f"{name}-{VERSION}.dist-info/METADATA").decode()
        asked = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
        assert asked
        assert not [line for line in asked if "aileron" in line]


@pytest.mark.parametrize(
    ("name", "packages"),
    [
        ("aileron_runtime", ("daemon", "launchers", "aileron_mcp")),
        ("aileron_mcp", ("aileron_mcp",)),
        ("aileron_testing", ("aileron_testing",)),
    ],
)
def test_every_module_imports_with_nothing_but_what_is_declared(
    environment: Make, tmp_path: Path, name: str, packages: tuple[str, ...]
) -> None:
    done = environment(name).run("-c", _IMPORT_ALL, *packages, folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_runtime_has_the_command_and_the_server_beside_the_agent(environment: Make, tmp_path: Path) -> None:
    runtime = environment("aileron_runtime")
    shown = subprocess.run([runtime.bin / "aileron", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"aileron {VERSION}\n"
    # What a first action needs is there, too, without a checkout and a compiler.
    made = [runtime.bin / "aileron", "connector", "init", str(tmp_path / "new"), "--host", "api.example.com:443"]
    subprocess.run(made, capture_output=True, check=True)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["connector.wasm", "manifest.toml"]
    for command in (["-P", "-m", "aileron_mcp"], [str(runtime.bin / "aileron-mcp")]):
        assert runtime.run(*command, "--version", folder=tmp_path).stdout == f"aileron-mcp {VERSION}\n"


def test_the_server_beside_the_agent_works_alone(environment: Make, tmp_path: Path) -> None:
    alone = environment("aileron_mcp")
    shown = subprocess.run([alone.bin / "aileron-mcp", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"aileron-mcp {VERSION}\n"


def test_an_image_is_made_from_the_same_files_whether_aileron_is_installed_or_a_checkout(
    environment: Make, tmp_path: Path
) -> None:
    code = (
        "import hashlib; from daemon.sandbox.images import _content;"
        "print(*(f'{n} {hashlib.sha256(c).hexdigest()}' for n, c in sorted(_content().items())), sep='\\n')"
    )
    installed = environment("aileron_runtime").run("-c", code, folder=tmp_path).stdout
    here = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "aileron_mcp/__main__.py" in here
    assert installed == here


@pytest.mark.parametrize(
    ("line", "found_by"), [("", "AILERON_COMMAND"), (_NAMED_TOO, "PATH")], ids=["installed", "named"]
)
def test_an_outside_suite_uses_the_plugin_and_gets_nothing_else_of_ours(
    environment: Make, tmp_path: Path, line: str, found_by: str
) -> None:
    (tmp_path / "test_suite.py").write_text(line + _SUITE)
    runtime = environment("aileron_runtime").bin
    given = {"AILERON_COMMAND": str(runtime / "aileron"), "PATH": f"{runtime}{os.pathsep}{os.environ['PATH']}"}
    words = ("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    done = environment("aileron_testing").run(*words, folder=tmp_path, **{found_by: given[found_by]})
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout + done.stderr
