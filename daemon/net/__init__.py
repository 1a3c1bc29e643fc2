"""How the daemon reaches the network: addresses, resolving, dialling, and its own HTTP/1.1 client."""
