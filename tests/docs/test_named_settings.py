"""Every setting that a document changes is one of ours, with a value that is taken."""

import shlex

from docs.test_named_commands import DOCUMENTS, lines
from docs.test_project_files import ROOT

from daemon.base.settings import parse_source, settings_from
from daemon.base.settings_edit import with_setting


def test_every_setting_that_a_document_changes_is_taken_with_the_value_that_it_names() -> None:
    looked_at = 0
    for document in DOCUMENTS:
        for line in lines((ROOT / document).read_text()):
            words = shlex.split(line, comments=True)
            if words[:2] == ["config", "set"] and len(words) == 4 and words[2:] != ["NAME", "VALUE"]:
                looked_at += 1
                name, value = words[2:]
                # Raises SettingsError, which names the rule.
                settings_from(parse_source(with_setting("", name, value, file=document), file=document), {})
    assert looked_at > 3
