"""The file `servers.yaml`: read whole or refused whole, changed with every comment kept, read again when it changes."""
