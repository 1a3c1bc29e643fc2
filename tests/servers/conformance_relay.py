"""What the conformance suite starts for each scenario: hands the URL to the process that does it. `... SOCKET URL`."""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as to:
    to.connect(sys.argv[1])
    asked = {"url": sys.argv[2], "context": os.environ.get("MCP_CONFORMANCE_CONTEXT")}
    to.sendall(json.dumps(asked).encode() + b"\n")
    answer = json.loads(to.makefile().readline())
sys.stderr.write(answer["said"])
sys.exit(answer["code"])
