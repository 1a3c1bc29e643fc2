"""Carries connections from the network of a sandbox to the daemon, where the daemon cannot be in that network itself.

Run: relay.py SUBNET unix:PATH | tcp:HOST:PORT. It sees nothing: what goes through is encrypted between the two ends.
It ends with its input, which the daemon holds.
"""

import asyncio
import ipaddress
import sys

_PORT = 8443
_DECOY = 8444
_PIECE = 65536
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - of its own network; who calls from another one is not served


async def connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Reach the daemon."""
    kind, _, place = target.partition(":")
    if kind == "unix":
        return await asyncio.open_unix_connection(place)
    host, _, port = place.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Carry one direction to its end, and pass the end on."""
    try:
        while piece := await source.read(_PIECE):
            sink.write(piece)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
    except OSError:
        sink.close()


async def main(subnet: str, target: str) -> None:
    """Serve until the daemon lets go."""
    inside = ipaddress.ip_network(subnet)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if ipaddress.ip_address(writer.get_extra_info("peername")[0]) not in inside:
                return
            far_reader, far_writer = await connect(target)
            try:
                await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))
            finally:
                far_writer.close()
        except OSError as problem:
            sys.stderr.write(f"{target}: {problem}\n")
        finally:
            writer.close()

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Nobody from a sandbox comes here.\n")
        writer.close()

    await asyncio.start_server(serve, _EVERYWHERE, _PORT)
    await asyncio.start_server(refuse, _EVERYWHERE, _DECOY)
    held = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(held), sys.stdin)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await held.read()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
