"""The import contract holds, and fails when somebody plants an arrow that goes up, sideways or out of its room."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("daemon", "aileron_mcp", "aileron_testing", "launchers")

WRONG = {
    "core/ids.py": "from daemon.sandbox.engine import Engine",
    "core/digests.py": "from daemon.base.clock import Clock",
    "base/tasks.py": "from daemon.audit.log import AuditLog",
    "db/tables.py": "from daemon.core.ids import IdPrefix",
    "net/addresses.py": "from daemon.vault.vault import Vault",
    "audit/log.py": "from daemon.sessions.service import Sessions",
    "approvals/service.py": "from daemon.connectors.service import ConnectorService",
    "connectors/call.py": "from daemon.tools.actions.catalog import ActionCatalog",
    "workspaces/layers/layers.py": "from daemon.sandbox.volumes import Volumes",
    "gateway/proxy.py": "from daemon.sandbox.service import Sandboxes",
    "sandbox/service.py": "from daemon.lifecycle.discovery import Discovery",
    "execution/run.py": "from daemon.connectors.service import ConnectorService",
    "execution/journal.py": "from daemon.tools.actions.catalog import ActionCatalog",
    "tools/actions/catalog.py": "from daemon.base.settings import Settings",
    "api/apps.py": "from daemon.web.pages import add_pages",
    "web/forms.py": "from daemon.app import Daemon",
    "cli/main.py": "from daemon.vault.vault import Vault",
    "lifecycle/lock.py": "from daemon.cli.client import Client",
}


def linted(tree: Path) -> subprocess.CompletedProcess[str]:
    """Check the contract in a tree."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy our packages and the contract."""
    tree = tmp_path_factory.mktemp("tree")
    for package in OURS:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def test_the_contract_fails_on_an_arrow_up_sideways_or_out_of_a_room(copy: Path) -> None:
    for place, arrow in WRONG.items():
        file = copy / "daemon" / place
        file.write_text(f"{file.read_text()}\n{arrow}\n")
    checked = linted(copy)
    said = re.sub(r"\s+", " ", checked.stdout)
    assert checked.returncode != 0
    for place, arrow in WRONG.items():
        importer = "daemon." + place.removesuffix(".py").replace("/", ".")
        imported = arrow.split()[1]
        assert f"{importer} -> {imported} " in said, f"nobody noticed: {importer} -> {imported}"


def test_the_contract_fails_on_a_room_that_nobody_decided_about(copy: Path) -> None:
    (copy / "daemon" / "shed").mkdir()
    (copy / "daemon" / "shed" / "__init__.py").write_text('"""A room."""\n')
    checked = linted(copy)
    assert checked.returncode != 0
    assert "shed" in checked.stdout


def test_no_circle_of_files_is_left() -> None:
    graph = grimp.build_graph(*OURS, cache_dir=None)
    left = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while ends := [module for module, imports in left.items() if not imports & left.keys()]:
        for module in ends:
            del left[module]
    # What imports a circle is left over, too; what nobody left over imports is not part of one.
    while starts := [module for module in left if not any(module in imports for imports in left.values())]:
        for module in starts:
            del left[module]
    assert not left, f"files that import each other in a circle: {sorted(left)}"
