"""Takes secrets out of text, in whatever form they are written there.

It lies in the core and not beside the clients in `net/`, because it is pure, and because the daemon's log, which stands
below every client, needs it as well.
"""
