"""What a sandbox's network lets through: an internal network still reaches every open port of the host.

The rules are set in the container's own network by a helper that has the right to do so and ends before the agent
begins; the agent never has it.
"""

import ipaddress


def ruleset(*, address: str, port: int) -> str:
    """Return the rules, in the language of nft: one address, one port, and this container itself."""
    place = ipaddress.IPv4Address(address)
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is no port")
    return f"""table inet aileron {{
  chain out {{
    type filter hook output priority 0; policy drop;
    ip daddr 127.0.0.11 reject
    oif "lo" accept
    ip daddr {place} tcp dport {port} accept
    meta l4proto tcp reject with tcp reset
    reject
  }}
  chain in {{
    type filter hook input priority 0; policy drop;
    iif "lo" accept
    ip saddr {place} tcp sport {port} ct state established accept
  }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
  }}
}}
"""
