"""An HTTP/1.1 client over kept connections, each dialled to a checked address; it knows bytes, and nobody's API.

It is written by hand because it serves two hot paths, the model gateway and the requests of connectors: a client
library costs three times as much for each request and hides the bytes. docs/performance.md has the measures. Redirects,
codings, retries and limits are decided where they are used, and not here.
"""
