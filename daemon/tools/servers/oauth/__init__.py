"""Logs the person in at remote servers: the client side of the authorization specification of the protocol."""
