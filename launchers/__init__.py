"""How each agent is started: pure functions from a LaunchContext to a LaunchPlan."""
