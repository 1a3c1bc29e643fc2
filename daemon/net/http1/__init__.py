"""How the gateway reaches a provider: HTTP/1.1 over kept connections, each dialled to a checked address.

Written by hand because it is the hot path: a client library costs three times as much for each request and hides the
bytes; docs/performance.md has the measures, and the connectors' traffic keeps its library.
"""
