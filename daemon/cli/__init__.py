"""Typer commands: thin clients of the control API."""
