"""Whatever stands in `servers.yaml`, it is read or refused with words; and an edit says what was wanted or nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.failures import DocumentError, Failure
from daemon.tools.servers.configuration.editing import with_server, with_switch, without_server
from daemon.tools.servers.configuration.reading import read_servers
from daemon.tools.servers.values import ServerConfig

PIECES = st.sampled_from(
    [
        *('version: "1"\n', "version: 1\n", "downstream_servers:\n", "downstream_servers: []\n", "  - name: a\n"),
        *(
            "- name: b\n",
            "    command: [x]\n",
            "  command: [x, y]\n",
            "    env: {A: b}\n",
            "    enabled: false\n",
            "# c\n",
        ),
        *(
            "\n",
            "  - {name: c, command: [x]}\n",
            "    env:\n",
            "      A: 'b'\n",
            "    command:\n",
            "      - x\n",
            "---\n",
        ),
        *(
            "&a ",
            "*a",
            "<<: ",
            "!!int ",
            "!x ",
            "? ",
            ": ",
            "- ",
            "|\n",
            ">\n",
            "%YAML 1.1\n",
            "...\n",
            '"',
            "'",
            "{",
            "[",
            "]",
            "}",
        ),
        *("\t", "\r\n", ",", "0x1f", "2020-01-01", "\u2028", "é", "\ufeff", "@", "`", "%"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=14).map("".join)
NEW = ServerConfig(name="new", command=("run", "it"), env={"A": "vault://secrets/a"})


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_every_text_is_read_or_refused(text: str) -> None:
    try:
        servers = read_servers(text, "f")
    except DocumentError:
        return
    for name, server in servers.items():
        assert server.name == name


@settings(max_examples=60, deadline=None)
@given(TEXTS.map(lambda text: f'version: "1"\n{text}'))
def test_an_edit_changes_what_is_wanted_and_nothing_else(text: str) -> None:
    try:
        before = read_servers(text, "f")
        edited = with_server(text, NEW, "f")
    except (DocumentError, Failure):
        return
    assert read_servers(edited, "f") == {**before, "new": NEW}
    try:
        assert read_servers(without_server(edited, "new", "f"), "f") == before
        off = ServerConfig(name="new", command=NEW.command, env=NEW.env, enabled=False)
        assert read_servers(with_switch(edited, off, "f"), "f")["new"] == off
    except Failure:
        return
