"""Processes of servers: one small program starts them, holds their descendants, and ends them with the daemon."""
