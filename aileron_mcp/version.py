"""The version, said in one place for everything here: the program, and all three distributions.

It stands here because aileron-mcp also runs where there is no daemon: in containers, and installed by itself.
"""

VERSION = "0.1.0"
