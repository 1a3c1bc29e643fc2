"""A daemon that has the server `shop` beside its actions: `shop_server.py`, as a process, over its pipes."""

import sys
from functools import partial
from pathlib import Path

from servers.piped_servers import PipedServers

from daemon import app
from daemon.base.home import Home
from daemon.lifecycle.process import run_daemon


def main() -> int:
    """Be that daemon."""
    servers = PipedServers(shop=[sys.executable, "-Es", str(Path(__file__).with_name("shop_server.py"))])
    return run_daemon(Home.find(), partial(app.start, held=servers.held()))


if __name__ == "__main__":
    sys.exit(main())
