"""What runs beside the agent; installed on its own, inside the container too, so it imports nothing of the daemon."""
