"""Which connectors are here, and which of them may run at this moment."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from daemon.connectors.keyring import Keyring
from daemon.connectors.plan import InstalledConnector
from daemon.connectors.revocation import require_signature_counts
from daemon.connectors.store import ConnectorStore, DamagedConnector, StoredConnector
from daemon.core.action import ConnectorRequirement
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.fqn import Fqn

T = TypeVar("T")


class Inventory:
    """Finds connectors of the store by what people and actions call them, and checks them before they are used."""

    def __init__(self, *, store: ConnectorStore, keyring: Keyring, executor: Executor) -> None:
        self._store = store
        self._keyring = keyring
        self._executor = executor

    async def require(self, requirement: ConnectorRequirement) -> StoredConnector:
        """Return a pinned connector that may run now: its bytes match its hash, and its signature still counts."""
        stored = self._store.fresh(requirement.hash)
        if stored is None:
            stored = await self.off_loop(lambda: self._store.verified(requirement.hash))
        if stored is None:
            raise await self._missing(requirement)
        manifest = stored.manifest
        if manifest.name != requirement.name or manifest.version != requirement.version:
            raise Failure(
                FailureClass.HASH_MISMATCH,
                f"The hash {requirement.hash} belongs to {manifest.name} {manifest.version}, but the action pins it for"
                f" {requirement.name} {requirement.version}. Correct the action's [[requires.connectors]].",
                boundary=Boundary.ACTION,
                details={"expected": requirement.hash, "connector": str(requirement.name)},
            )
        require_signature_counts(stored, self._keyring)
        return stored

    async def list(self) -> tuple[InstalledConnector, ...]:
        """Return everything in the store, also what is damaged or may not run."""
        return tuple(self._shown(entry) for entry in await self.off_loop(self._store.list))

    async def find(self, ref: str) -> Sequence[InstalledConnector]:
        """Return what a hash, a name or name@version means, the newest last; never nothing."""
        name, at, version = ref.partition("@")
        found = [
            entry
            for entry in await self.list()
            if entry.hash == ref
            or (
                entry.stored is not None
                and str(entry.stored.manifest.name) == name
                and (not at or str(entry.stored.manifest.version) == version)
            )
        ]
        if not found:
            raise _not_installed(ref)
        return found

    async def newest(self, name: Fqn) -> StoredConnector:
        """Return the newest sound version of a connector."""
        found = [stored for stored in await self._sound() if stored.manifest.name == name]
        if not found:
            raise _not_installed(str(name))
        return found[-1]

    async def off_loop(self, work: Callable[[], T]) -> T:
        """Do disk work on the room's own threads."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def _sound(self) -> Sequence[StoredConnector]:
        return [entry for entry in await self.off_loop(self._store.list) if isinstance(entry, StoredConnector)]

    async def _missing(self, requirement: ConnectorRequirement) -> Failure:
        name, version = requirement.name, requirement.version
        others = [
            stored.hash
            for stored in await self._sound()
            if stored.manifest.name == name and stored.manifest.version == version
        ]
        details = {"connector": str(name), "version": str(version), "expected": requirement.hash}
        if others:
            return Failure(
                FailureClass.HASH_MISMATCH,
                f"{name} {version} is installed, but not with the content the action pins: the action names"
                f" {requirement.hash}, installed is {', '.join(others)}. Install the pinned release, or look at the"
                " installed one and pin its hash.",
                boundary=Boundary.RUNTIME,
                details={**details, "installed": others},
            )
        command = f"aileron connector add <folder or archive of {name} {version}>"
        return Failure(
            FailureClass.NOT_FOUND,
            f"{name} {version} is not installed. Run: {command}",
            boundary=Boundary.RUNTIME,
            details={**details, "command": command},
        )

    def _shown(self, entry: StoredConnector | DamagedConnector) -> InstalledConnector:
        if isinstance(entry, DamagedConnector):
            return InstalledConnector(hash=entry.hash, stored=None, problem=entry.problem)
        try:
            require_signature_counts(entry, self._keyring)
        except Failure as failure:
            return InstalledConnector(hash=entry.hash, stored=entry, problem=failure.message)
        return InstalledConnector(hash=entry.hash, stored=entry, problem=None)


def _not_installed(ref: str) -> Failure:
    return Failure(
        FailureClass.NOT_FOUND,
        f"No connector {ref!r} is installed. 'aileron connector list' shows those that are; install one with"
        " 'aileron connector add <folder or archive>'.",
        boundary=Boundary.USER,
    )
