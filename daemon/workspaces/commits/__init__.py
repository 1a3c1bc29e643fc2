"""How an agent's commits come into the person's repository: checked in quarantine, then as refs and branches."""
