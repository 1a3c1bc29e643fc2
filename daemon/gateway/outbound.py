"""The session over which model requests leave: the same checked addresses as for connectors, and no limit of ours."""

import ssl
from pathlib import Path

import aiohttp

from daemon.connectors.http.dialling import CheckedConnector
from daemon.connectors.http.exchange import OWN_HEADERS, refuse_hidden_retry
from daemon.connectors.http.resolver import SystemResolver

_BUFFER = 1 << 16


class Outbound:
    """Owns the session; one for each daemon."""

    def __init__(self, *, extra_ca_file: Path | None, connect_seconds: float) -> None:
        self._extra_ca_file = extra_ca_file
        self._connect_seconds = connect_seconds
        self._resolver = SystemResolver()
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Return the session, opening it the first time; to be asked on the event loop."""
        if self._session is None:
            context = ssl.create_default_context()
            if self._extra_ca_file is not None:
                context.load_verify_locations(cafile=self._extra_ca_file)
            self._session = aiohttp.ClientSession(
                connector=CheckedConnector(resolve=self._resolver, ssl_context=context, limit=0, limit_per_host=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=OWN_HEADERS,
                timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_seconds),
                read_bufsize=_BUFFER,
                middlewares=(refuse_hidden_retry,),
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
        self._resolver.close()
