"""Calls a tool of aileron-mcp many times and prints the median in milliseconds; runs inside, too."""

import json
import subprocess
import sys
import time
from statistics import median


def main() -> None:
    """Run the server, call, and print."""
    server = subprocess.Popen(sys.argv[1].split(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None

    def ask(number: int, method: str, parameters: object) -> None:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}) + "\n")
        server.stdin.flush()
        while json.loads(server.stdout.readline()).get("id") != number:
            pass

    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "calls", "version": "1"}}
    ask(1, "initialize", client)
    server.stdin.write(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}) + "\n")
    ask(2, "tools/list", {})
    call = {"name": "post_item", "arguments": json.loads(sys.argv[2])}
    taken = []
    for number in range(int(sys.argv[3])):
        began = time.perf_counter()
        ask(10 + number, "tools/call", call)
        taken.append((time.perf_counter() - began) * 1e3)
    server.stdin.close()
    server.wait(10)
    print(f"{median(taken):.3f}")


if __name__ == "__main__":
    main()
