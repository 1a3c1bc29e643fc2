"""A daemon that has servers beside its actions: those that PIPED_SERVERS names with their commands, as JSON."""

import json
import os
import sys
from functools import partial

from servers.piped_servers import PipedServers

from daemon import app
from daemon.base.home import Home
from daemon.lifecycle.process import run_daemon


def main() -> int:
    """Be that daemon."""
    servers = PipedServers(**json.loads(os.environ["PIPED_SERVERS"]))
    return run_daemon(Home.find(), partial(app.start, held=servers.held()))


if __name__ == "__main__":
    sys.exit(main())
