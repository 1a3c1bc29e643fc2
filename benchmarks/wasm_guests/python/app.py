"""The smallest connector in Python: what it is given comes back."""

import wit_world


class WitWorld(wit_world.WitWorld):
    """The connector world."""

    def describe(self) -> str:
        """Name the operations."""
        return '{"abi":1,"ops":["echo"]}'

    def execute(self, op: str, args: str) -> str:  # noqa: ARG002 -- the world passes it
        """Echo."""
        return args
