"""Methods of HTTP, for tests that hold a closed list against all there are."""

# The registry of methods at IANA, and what a server may take for one of them.
REGISTRY = (
    "ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LABEL",
    "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "OPTIONS",
    "ORDERPATCH", "PATCH", "POST", "PRI", "PROPFIND", "PROPPATCH", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH",
    "TRACE", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL",
)  # fmt: skip
ODD = ("trace", "Trace", "get", "POST\t", "TRACE\x0b", "M-SEARCH", "PURGE", "SOURCE", "DESCRIBE", "TRACK", "DEBUG", "*")
