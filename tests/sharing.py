"""Which tests stay together when several workers share them, and which are handed out first."""

_TOGETHER = {
    "engine": ("sandbox/", "testing_package/"),
    "agents": ("agents/",),
    "connectors": ("wasm/", "connectors/"),
    "crash": ("crash/",),
    "pages": ("docs/test_followed_pages.py",),
}
"""What one worker runs one after the other, by where the tests are: those that look after each test whether the Docker
engine is clean, those whose agents give up when several start at once, and those that share a costly set-up. The
longest come first. The others go by file."""

_LONG = ("api/test_api_contract.py", "audit/test_audit_storage.py", "faults/", "gateway/test_gateway.py")
"""Files that take longest, handed out behind the groups: one of them alone at the end would leave a processor idle."""


def group_of(nodeid: str) -> str:
    """Return the name of the group that a test belongs to: one of those above, or its file."""
    place = nodeid.removeprefix("tests/")
    named = (name for name, places in _TOGETHER.items() if place.startswith(places))
    return next(named, nodeid.partition("::")[0])


def rank_of(nodeid: str) -> int:
    """Return when a test is handed out: the lower, the earlier."""
    order = list(_TOGETHER)
    group = group_of(nodeid)
    if group in order:
        return order.index(group)
    return len(order) if nodeid.removeprefix("tests/").startswith(_LONG) else len(order) + 1
