"""What the pages have a reader download is pinned with hashes, and is the version that the checkout itself uses."""

import json
import re

from docs.test_project_files import ROOT

JAVASCRIPT = ROOT / "connectors" / "javascript"
PYTHON = ROOT / "connectors" / "python" / "requirements.txt"


def test_every_package_of_the_javascript_page_has_an_exact_version_and_a_hash() -> None:
    (wanted,) = json.loads((JAVASCRIPT / "package.json").read_text())["devDependencies"].values()
    assert re.fullmatch(r"\d+\.\d+\.\d+", wanted)
    packages = json.loads((JAVASCRIPT / "package-lock.json").read_text())["packages"]
    assert packages.pop("")["devDependencies"] == {"componentize-qjs": wanted}
    assert packages
    for name, package in packages.items():
        assert package["version"] == wanted, name
        assert package["integrity"].startswith("sha512-"), name


def test_the_python_page_takes_the_version_and_the_hashes_of_the_checkout() -> None:
    def pinned(text: str) -> tuple[str, set[str]]:
        block = re.search(r"^componentize-py==(\S+)((?: \\\n    --hash=\S+)+)", text, re.MULTILINE)
        assert block is not None
        return block[1], set(re.findall(r"sha256:[0-9a-f]{64}", block[2]))

    assert pinned(PYTHON.read_text()) == pinned((ROOT / "requirements" / "dev.txt").read_text())


def test_the_pages_ask_for_the_hashes_and_run_nothing_of_what_comes() -> None:
    assert "npm ci --ignore-scripts\n" in (ROOT / "docs" / "connector-in-javascript.md").read_text()
    assert " --require-hashes -r " in (ROOT / "docs" / "connector-in-python.md").read_text()
