"""Carrying out a launch on this machine."""
