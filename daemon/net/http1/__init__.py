"""An HTTP/1.1 client over kept connections, each dialled to a checked address; it knows bytes, and nobody's API.

It is written by hand because it serves a hot path: a client library costs three times as much for each request and
hides the bytes. docs/performance.md has the measures. The connectors' traffic goes through a library (aiohttp), where
redirects, codings and limits weigh more than the time of one request.
"""
