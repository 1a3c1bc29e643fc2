"""The version of this program. It stands in `aileron_mcp/version.py`, which is also there without the daemon."""

from aileron_mcp.version import VERSION

__all__ = ["VERSION"]
