"""The command `aileron launch`, and the steps it takes on this machine."""
