"""The page about Rust cannot be built everywhere; what it says of the contract is compared with the contract."""

import re

from docs.pages import Block, blocks
from docs.test_project_files import ROOT

from connectors.build import SOURCES
from daemon.connectors.wasm.interface import HOST_INTERFACE
from daemon.core.manifest_parser import parse_manifest

PAGE = blocks(ROOT / "docs" / "connector-in-rust.md")


def written(name: str) -> Block:
    """Return what the page has a reader write into a file."""
    (found,) = (block for block in PAGE if (block.mark, block.said) == ("file", name))
    return found


def test_the_rust_page_names_every_function_of_the_contract_and_no_other() -> None:
    wit = re.sub(r"//.*", "", (SOURCES / "connector.wit").read_text())
    imported = set(re.findall(r"^  ([a-z-]+): func", wit, re.MULTILINE))
    exported = set(re.findall(r"^  export ([a-z-]+): func", wit, re.MULTILINE))
    rust = written("aileron.rs").text
    assert f'#[link(wasm_import_module = "{HOST_INTERFACE}")]' in rust
    foreign = rust.split('extern "C" {', 1)[1].split("}", 1)[0]
    assert {name.replace("_", "-") for name in re.findall(r"pub fn (\w+)", foreign)} == imported
    assert set(re.findall(r'link_name = "([^"]+)"', foreign)) == {name for name in imported if "-" in name}
    assert set(re.findall(r'pub (?:unsafe )?extern "C" fn (\w+)', rust)) == exported | {"cabi_realloc"}


def test_the_program_on_the_rust_page_has_the_operations_of_its_manifest() -> None:
    manifest = parse_manifest(written("release/manifest.toml").text, file="manifest.toml")
    described = re.search(r'"ops": \[(.*?)\]', written("connector.rs").text)
    assert described is not None
    assert set(re.findall(r'"(\w+)"', described[1])) == {str(op) for op in manifest.ops}
