"""Starts aileron-mcp from where it lies in the image."""

import sys

sys.path.insert(0, "/opt/aileron/site")

from aileron_mcp.__main__ import main

main()
