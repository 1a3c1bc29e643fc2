"""A link from one document to another leads to a file that is there, and to a heading that it has."""

import re

import pytest
from docs.test_project_files import ROOT, tracked

_LINK = re.compile(r"\]\((?!https?://|mailto:)(?P<file>[^)#\s]*)(?:#(?P<heading>[^)\s]+))?\)")


def headings(text: str) -> set[str]:
    """Return the names under which headings can be linked to, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("name", [path.relative_to(ROOT).as_posix() for path in tracked("*.md")])
def test_every_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    broken = []
    for match in _LINK.finditer(page.read_text()):
        target = (page.parent / match["file"]).resolve() if match["file"] else page
        if not target.exists() or (match["heading"] and match["heading"] not in headings(target.read_text())):
            broken.append(match[0])
    assert broken == []


def test_a_heading_is_named_as_github_names_it() -> None:
    assert headings("# One, two: `three`\n```sh\n# no heading\n```\n") == {"one-two-three"}
