"""Containers for agents: images, networks with no way out, mounts, and supervision until nothing is left."""
