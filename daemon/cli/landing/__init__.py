"""Looking at what an agent changed in its workspace, and deciding about it."""
