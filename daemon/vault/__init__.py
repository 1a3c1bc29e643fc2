"""Crypto, the vault file, lock and unlock, bindings."""
