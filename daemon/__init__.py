"""The Aileron daemon: the one path from an agent's proposal to an effect in the world."""
