"""What a server finds in its environment: a few named variables, and what its configuration says. Pure.

The names are what `npx`, `uvx`, `docker` and the like need to work here as they do in the person's shell: where things
are, and how the network is reached (a proxy, the certificates of a company, a registry of its own). None of them names
a token. The URL of a proxy or a registry with a password in it (`http://me:secret@proxy`) is left out: it would stand
in what the server prints, and nobody would take it out there.
"""

import re
from collections.abc import Mapping

_PERSON = frozenset({"PATH", "HOME", "LANG", "LANGUAGE", "TERM", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL"})
_PLACES = frozenset(
    {"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"}
    | {"NPM_CONFIG_CACHE", "NPM_CONFIG_PREFIX", "NPM_CONFIG_USERCONFIG", "NVM_DIR", "VOLTA_HOME"}
    | {"UV_CACHE_DIR", "UV_TOOL_DIR", "UV_PYTHON_INSTALL_DIR", "PIPX_HOME"}
    | {"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"}
)
_CERTIFICATES = frozenset(
    {"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA", "REQUESTS_CA_BUNDLE"}
    | {"CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "NIX_SSL_CERT_FILE", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"}
    | {"NPM_CONFIG_CAFILE", "DENO_CERT", "DENO_TLS_CA_STORE"}
)
_WAYS = frozenset(
    {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NODE_USE_ENV_PROXY"}
    | {"NPM_CONFIG_PROXY", "NPM_CONFIG_HTTPS_PROXY", "NPM_CONFIG_NOPROXY", "NPM_CONFIG_REGISTRY"}
    | {"UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"}
)
_HANDED_ON = _PERSON | _PLACES | _CERTIFICATES | _WAYS
_ANY_CASE = re.compile(r"(https?|all|no)_proxy|npm_config_[a-z_]+", re.IGNORECASE)
"""Names that programs read in capitals and in small letters."""
_BEGINNING = "LC_"


def environment_of(inherited: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server; nothing of the daemon's own, and none of the person's tokens, is in it."""
    kept = {name: value for name, value in inherited.items() if _is_handed_on(name, value)}
    return kept | dict(said)


def _is_handed_on(name: str, value: str) -> bool:
    known = name.upper() if _ANY_CASE.fullmatch(name) else name
    if known in _WAYS and "@" in value:
        return False
    return known in _HANDED_ON or name.startswith(_BEGINNING)
