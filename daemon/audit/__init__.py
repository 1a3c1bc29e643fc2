"""The log: append, chain, checkpoints, query, verify, export."""
