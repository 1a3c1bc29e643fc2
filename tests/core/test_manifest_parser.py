import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.authority import HostPort
from daemon.core.failures import DocumentError
from daemon.core.fqn import Fqn
from daemon.core.manifest import Injection, Limits, Manifest, OAuth2Settings, OpInput
from daemon.core.manifest_parser import parse_manifest
from daemon.core.semver import Version

MANIFESTS = Path(__file__).parents[1] / "data" / "manifests"
SLACK = (MANIFESTS / "slack.toml").read_text(encoding="utf-8")
TRACKER = (MANIFESTS / "tracker.toml").read_text(encoding="utf-8")
CLOCK = (MANIFESTS / "clock.toml").read_text(encoding="utf-8")


def test_the_manifest_of_the_design_is_read() -> None:
    manifest = parse_manifest(SLACK, file="manifest.toml")
    assert (manifest.name, manifest.version) == (Fqn.parse("github://acme/slack"), Version(1, 2, 0))
    assert manifest.default_idempotent
    assert manifest.hosts == (HostPort("slack.com", 443),)
    assert manifest.limits == Limits(memory_bytes=64 * 2**20, time_seconds=30)
    credential = manifest.credential
    assert credential is not None
    assert (credential.kind, credential.scope) == ("oauth2", "chat:write channels:read")
    assert credential.inject == Injection("Authorization", "Bearer {secret}")
    assert credential.inject.header_value("{secret}$") == "Bearer {secret}$"
    assert credential.hosts == manifest.hosts
    assert credential.oauth2 == OAuth2Settings(
        authorize_url="https://slack.com/oauth/v2/authorize",
        token_url="https://slack.com/api/oauth.v2.access",
        client_id="1234567890.1234567890",
        scopes=("chat:write", "channels:read"),
    )
    post = manifest.ops["post_message"]
    assert (post.capability, post.idempotent) == ("chat:write", False)
    assert post.inputs["channel"] == OpInput("string", True, "Where to.")
    assert manifest.ops["get_draft"].idempotent


def test_a_manifest_that_says_nothing_of_idempotency_is_never_retried() -> None:
    manifest = parse_manifest(TRACKER, file="manifest.toml")
    assert not manifest.default_idempotent
    assert manifest.ops["find_issues"].idempotent
    assert not manifest.ops["create_issue"].idempotent
    assert manifest.limits == Limits(memory_bytes=2**30, time_seconds=300)
    assert manifest.hosts[1] == HostPort("2001:db8::1", 8443)


def test_a_connector_without_credential_and_network_reaches_nothing() -> None:
    manifest = parse_manifest(CLOCK, file="manifest.toml")
    assert manifest.credential is None
    assert manifest.hosts == ()
    assert manifest.ops["read"].inputs == {}
    assert manifest == parse_manifest(CLOCK.replace('[capabilities.credential]\nkind = "none"\n', ""), file="m.toml")


def test_oauth2_scopes_come_from_the_scope_text_when_they_are_not_listed() -> None:
    manifest = parse_manifest(SLACK.replace('scopes = ["chat:write", "channels:read"]', ""), file="m.toml")
    assert manifest.credential is not None
    assert manifest.credential.oauth2 is not None
    assert manifest.credential.oauth2.scopes == ("chat:write", "channels:read")


@pytest.mark.parametrize("text", [SLACK, TRACKER, CLOCK])
def test_the_json_form_is_laid_out_like_the_file(text: str) -> None:
    manifest = parse_manifest(text, file="manifest.toml")
    written = json.loads(manifest.as_json())
    assert written["connector"]["name"] == str(manifest.name)
    assert written["capabilities"]["network"]["hosts"] == [str(host) for host in manifest.hosts]
    assert ("credential" in written["capabilities"]) == (manifest.credential is not None)
    assert list(written["ops"]) == sorted(manifest.ops)
    assert manifest.as_json() == parse_manifest(text, file="other.toml").as_json()


def test_a_byte_order_mark_and_crlf_change_nothing() -> None:
    changed = "\ufeff" + SLACK.replace("\n", "\r\n")
    assert parse_manifest(changed, file="m.toml") == parse_manifest(SLACK, file="m.toml")


HOSTS = 'hosts = ["tracker.example:443", "[2001:db8::1]:8443"]'
KEY_HOSTS = 'hosts = ["tracker.example:443"]\n'
INJECT = 'inject = { header = "X-Api-Key", format = "{secret}" }'


def inject(header: str, form: str) -> str:
    return f'inject = {{ header = "{header}", format = "{form}" }}'


BROKEN = [
    ("[connector]", "[conector]", "'conector' is unknown", "`connector`", "[conector]"),
    ('name = "gitlab://acme/tools/tracker"', "", "is missing", "github://acme/slack", "[connector]"),
    ('name = "gitlab://acme/tools/tracker"', 'name = "tracker"', "not a full name", "github://acme/slack", "name"),
    ('version = "0.3.1"', 'version = "0.3"', "not an exact version", "1.2.0", "version"),
    ('version = "0.3.1"', "version = 3", "is a number", "1.2.0", "version"),
    ('version = "0.3.1"', 'version = "0.3.1"\nlicence = "x"', "'licence' is unknown", "name, version", "licence"),
    ('description = "An issue tracker."', "description = []", "is a list", "leave it out", "description"),
    ('description = "An issue tracker."', "[connector.idempotency]\ndefault = true", "is true or false",
     "not_idempotent",
     "default"),
    ('description = "An issue tracker."', '[connector.idempotency]\ndefault = "idempotnt"', "is 'idempotnt'",
     "`idempotent`", "default"),
    ('description = "An issue tracker."', "[connector.idempotency]", "is missing", "idempotent", "[connector.idem"),
    (HOSTS, "hosts = []", "not among the hosts", "Add it there", 'hosts = ["tracker'),
    (HOSTS, "", "is missing", "exact hosts", "[capabilities.network]"),
    (HOSTS, 'hosts = "slack.com:443"', "is a string", "exact hosts", "hosts = "),
    (HOSTS, "hosts = [443]", "is a number", "exact hosts", "hosts = "),
    (HOSTS, 'hosts = ["*.example:443"]', "wildcard", "exact hosts", "hosts = "),
    (HOSTS, 'hosts = ["tracker.example"]', "no port", "exact hosts", "hosts = "),
    (HOSTS, 'hosts = ["https://tracker.example:443"]', "URL", "exact hosts", "hosts = "),
    (HOSTS, 'hosts = ["tracker.example:443",\n"Tracker.Example:443"]', "again", "once", '"Tracker'),
    (HOSTS, HOSTS + "\nports = [1]", "'ports' is unknown", "hosts", "ports"),
    ('kind = "api_key"', 'kind = "apikey"', "is 'apikey'", "`api_key`", "kind"),
    ('kind = "api_key"', "", "is missing", "oauth2, api_key, basic, none", "[capabilities.credential]"),
    ('kind = "api_key"', 'kind = "none"', "no meaning", "Remove it", "inject"),
    ('kind = "api_key"', 'kind = "oauth2"', "`oauth2` in [capabilities.credential] is missing", "token_url",
     "[capabilities.credential]"),
    ('kind = "api_key"', 'kind = "api_key"\nscope = ["a"]', "is a list", "leave it out", "scope"),
    ('kind = "api_key"', 'kind = "api_key"\noauth2 = {}', "stands beside", "Remove it", "oauth2"),
    (INJECT, "", "`inject` in [capabilities.credential] is missing", "Bearer {secret}", "[capabilities.credential]"),
    (INJECT, 'inject = "Authorization"', "it must be a table", "[capabilities.credential.inject]", "inject"),
    (INJECT, 'inject = { header = "X" }', "`format` in [capabilities.credential.inject] is missing", "{secret}",
     "inject"),
    (INJECT, inject("X-Key", "Bearer"), "0 times", "exactly once", "inject"),
    (INJECT, inject("X-Key", "{secret}{secret}"), "2 times", "exactly once", "inject"),
    (INJECT, inject("X-Key", "{secret} {user}"), "not the text of a header", "braces", "inject"),
    (INJECT, inject("X-Key", " {secret}"), "not the text of a header", "spaces", "inject"),
    (INJECT, inject("X-Key", "{secret}\\r\\nX: y"), "not the text of a header", "ASCII", "inject"),
    (INJECT, inject("X-Key", "é {secret}"), "not the text of a header", "ASCII", "inject"),
    (INJECT, inject("X Key", "{secret}"), "not of the right form", "Authorization", "inject"),
    (INJECT, inject("X-Key:", "{secret}"), "not of the right form", "Authorization", "inject"),
    (INJECT, inject("X-Key\\n", "{secret}"), "not of the right form", "Authorization", "inject"),
    (INJECT, inject("Host", "{secret}"), "belongs to the transport", "Authorization", "inject"),
    (INJECT, inject("content-LENGTH", "{secret}"), "belongs to the transport", "Authorization", "inject"),
    (INJECT, inject("Connection", "{secret}"), "belongs to the transport", "Authorization", "inject"),
    (INJECT, inject("Transfer-Encoding", "{secret}"), "belongs to the transport", "Authorization", "inject"),
    (INJECT, inject("Proxy-Authorization", "{secret}"), "belongs to the transport", "Authorization", "inject"),
    (KEY_HOSTS, "", "`hosts` in [capabilities.credential] is missing", "exact hosts", "[capabilities.credential]"),
    (KEY_HOSTS, "hosts = []\n", "goes nowhere", "exact hosts", "hosts"),
    (KEY_HOSTS, 'hosts = ["evil.example:443"]\n', "evil.example:443, which is not among", "Add it there", "hosts"),
    (KEY_HOSTS, 'hosts = ["tracker.example:80"]\n', "not among", "Add it there", "hosts"),
    ('memory = "1GiB"', 'memory = "2GiB"', "out of bounds", "1GiB", "memory"),
    ('memory = "1GiB"', 'memory = "1B"', "out of bounds", "64KiB", "memory"),
    ('memory = "1GiB"', 'memory = "1GB"', "not a size", "64MiB", "memory"),
    ('memory = "1GiB"', "memory = 1024", "is a number", "64MiB", "memory"),
    ('time = "5m"', 'time = "6m"', "out of bounds", "5m", "time"),
    ('time = "5m"', 'time = "0s"', "out of bounds", "more than 0", "time"),
    ('time = "5m"', 'timeout = "5m"', "'timeout' is unknown", "`time`", "timeout"),
    ("[ops.find_issues]", "[ops.find-issues]", "The name of `find-issues` in [ops] is not allowed", "post_message",
     "[ops.find-issues]"),
    ("[ops.find_issues]", "[ops.Find]", "`Find` in [ops]", "post_message", "[ops.Find]"),
    ("[ops.find_issues]", '[ops."x y"]', "`x y` in [ops]", "post_message", '[ops."x y"]'),
    ('capability = "issues:read"', "", "`capability` in [ops.find_issues] is missing", "chat:write",
     "[ops.find_issues]"),
    ('capability = "issues:read"', 'capability = "a b"', "not of the right form", "chat:write", "capability"),
    ('capability = "issues:read"', 'capability = "x"\ncapabilty = "y"', "unknown in [ops.find_issues]", "`capability`",
     "capabilty"),
    ("idempotent = true", "idempotent = 1", "is a number", "true or false", "idempotent"),
    ("idempotent = true", 'idempotent = "yes"', "is a string", "true or false", "idempotent"),
    ('query = { type = "string" }', "query = {}", "`type` in [ops.find_issues.inputs.query] is missing", "string",
     "query"),
    ('query = { type = "string" }', 'query = "string"', "it must be a table", "[ops.find_issues.inputs.query]",
     "query"),
    ('query = { type = "string" }', 'query = { type = "text" }', "is 'text'", "string, integer", "query"),
    ('query = { type = "string" }', 'query = { type = "string", deflt = 1 }', "'deflt'", "type, required", "query"),
    ('query = { type = "string" }', '"que ry" = { type = "string" }', "`que ry`", "channel", "que ry"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "problem", "remedy", "line"), BROKEN, ids=[row[1] for row in BROKEN])
def test_a_broken_rule_is_refused_with_line_problem_and_remedy(
    old: str, new: str, problem: str, remedy: str, line: str
) -> None:
    text = TRACKER.replace(old, new, 1)
    assert text != TRACKER
    with pytest.raises(DocumentError) as caught:
        parse_manifest(text, file="manifest.toml")
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert caught.value.line is not None
    assert line in text.split("\n")[caught.value.line - 1]


OAUTH2_BROKEN = [
    ("https://slack.com/oauth", "http://slack.com/oauth", "not an https"),
    ("https://slack.com/oauth", "https:///oauth", "not an https"),
    ("https://slack.com/oauth", "https://user@slack.com/oauth", "user name"),
    ("https://slack.com/oauth", "https://slack.com/#/oauth", "fragment"),
    ("https://slack.com/oauth", "https://slack.com:x/oauth", "wrong"),
    ("https://slack.com/oauth", "https://[slack.com/oauth", "wrong"),
    ("https://slack.com/oauth", "https://slack.com/ oauth", "space"),
    ("https://slack.com/oauth", "https://släck.com/oauth", "ASCII"),
    ("authorize_url = ", "autorize_url = ", "`authorize_url`"),
    ('client_id = "1234567890.1234567890"', "", "`client_id`"),
    ('scopes = ["chat:write", "channels:read"]', 'scopes = ["chat write"]', "not an OAuth scope"),
    ('scopes = ["chat:write", "channels:read"]', 'scopes = "chat:write"', "is a string"),
]


@pytest.mark.parametrize(("old", "new", "message"), OAUTH2_BROKEN)
def test_a_broken_oauth2_table_is_refused(old: str, new: str, message: str) -> None:
    text = SLACK.replace(old, new, 1)
    assert text != SLACK
    with pytest.raises(DocumentError, match=message):
        parse_manifest(text, file="manifest.toml")


def test_a_sign_in_server_on_this_machine_may_speak_plain_http() -> None:
    text = SLACK.replace("https://slack.com", "http://127.0.0.1:8080")
    assert parse_manifest(text, file="manifest.toml").credential is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "`connector` in the top level is missing"), (TRACKER.partition("[ops")[0], "has no operations")],
)
def test_a_manifest_without_its_tables_is_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        parse_manifest(text, file="manifest.toml")


pieces = st.sampled_from(
    [
        "[ops]\n",
        "[ops.a]\n",
        "ops = 1\n",
        "limits = []\n",
        "[connector]\n",
        '"',
        "'",
        "=",
        "{",
        "}",
        "[",
        "]",
        "nan",
        "1",
        "\x00",
        "\u202e",
        "." * 3,
        "a.b.c=1\n",
        "\n",
        "[[ops]]\n",
        "9" * 5000,
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from([SLACK, TRACKER, CLOCK]))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 40)))
        text = text[:start] + draw(pieces | st.text(max_size=3)) + text[end:]
    return text


@given(st.text() | st.lists(pieces).map("".join) | mutated())
def test_any_text_is_a_manifest_or_a_document_error(text: str) -> None:
    outcome: Manifest | DocumentError
    try:
        outcome = parse_manifest(text, file="manifest.toml")
    except DocumentError as error:
        outcome = error
    if isinstance(outcome, DocumentError):
        assert outcome.problem
        assert outcome.remedy
    else:
        json.loads(outcome.as_json())
        assert outcome.credential is None or set(outcome.credential.hosts) <= set(outcome.hosts)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ('{ type = "string", format = "xml" }', "is 'xml'"),
        ('{ type = "object", format = "json" }', "does not fit the type object"),
        ('{ type = "string", fromat = "json" }', "'fromat' is unknown"),
    ],
)
def test_an_input_says_what_its_text_holds_in_known_words_only(given: str, problem: str) -> None:
    text = TRACKER.replace('body = { type = "string" }', f"body = {given}")
    with pytest.raises(DocumentError, match=problem):
        parse_manifest(text, file="manifest.toml")


@pytest.mark.parametrize("form", ["json", "url"])
def test_what_a_text_holds_is_read_and_listed(form: str) -> None:
    text = TRACKER.replace('body = { type = "string" }', f'body = {{ type = "string", format = "{form}" }}')
    manifest = parse_manifest(text, file="manifest.toml")
    assert manifest.ops["create_issue"].inputs["body"].format == form
    assert manifest.ops["create_issue"].inputs["title"].format is None
    assert f'"format":"{form}"' in manifest.as_json()
