"""Installed actions and the executor: the one path."""
