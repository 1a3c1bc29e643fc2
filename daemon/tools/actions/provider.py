"""The actions of this home as tools: which there are, and a call of one made ready."""

from collections.abc import AsyncGenerator, Mapping, Sequence

from daemon.base.clock import Clock
from daemon.base.folder_watch import FolderWatch
from daemon.connectors.service import ConnectorService
from daemon.core.account import Account
from daemon.core.action import Action
from daemon.core.failures import Failure
from daemon.core.manifest import Manifest
from daemon.core.op_inputs import outline_inputs
from daemon.core.principal import Principal
from daemon.core.schema import input_schema, validate_arguments
from daemon.core.subject import NamedHash, Subject
from daemon.core.tools import Annotations, ToolCall, ToolId, ToolSpec
from daemon.tools.actions.catalog import ActionCatalog, InstalledAction
from daemon.tools.actions.fitting import Fitting
from daemon.tools.actions.prepared import PreparedAction
from daemon.tools.actions.watching import CatalogWatch

KIND = "action"
_HERE = "local"
"""Where an action comes from that says nothing else: somebody wrote it into this home."""


class ActionProvider:
    """The kind of tool that is a file of steps, each of which calls a connector."""

    def __init__(self, *, catalog: ActionCatalog, connectors: ConnectorService, clock: Clock) -> None:
        self._catalog = catalog
        self._connectors = connectors
        self._clock = clock
        self._fitting = Fitting()
        self._watch = CatalogWatch(catalog, FolderWatch(catalog.folder))
        connectors.on_change(self._watch.nudge)

    @property
    def kind(self) -> str:
        """Return the name of the kind."""
        return KIND

    async def list(self, who: Principal) -> Sequence[ToolSpec]:  # noqa: ARG002 - everybody may see every action
        """Return the actions that can be run."""
        ready = [entry for entry in self._catalog.all() if entry.state == "ready"]
        return [await self._spec(entry, entry.action) for entry in ready if entry.action is not None]

    def known(self, name: str) -> ToolId | None:  # noqa: ARG002 - every action is listed while it can be called
        """Return none: an action that is not listed has no name for agents."""
        return None

    def meant(self, call: ToolCall) -> ToolCall:
        """Return the call as it is: no action stands in for another one."""
        return call

    async def prepare(self, call: ToolCall) -> PreparedAction:
        """Load the action and its connectors, and check hashes, capabilities and arguments, in that order."""
        entry, action = self._catalog.runnable(call.tool.name)
        arguments = validate_arguments(action.inputs, call.arguments)
        manifests: dict[str, Manifest] = {}
        for requirement in action.requires:
            manifests[str(requirement.name)] = await self._connectors.check(requirement)
        self._fitting.check(action, entry.hash, manifests)
        for name in {str(step.connector) for step in action.steps}:
            self._connectors.check_reach(manifests[name])
        for step in action.steps:
            # An argument that cannot stand in its place is refused now, not after the steps before it have run.
            outline_inputs(manifests[str(step.connector)].ops[step.op], step.inputs, arguments)
        accounts, blocked = _accounts(self._connectors, manifests)
        return PreparedAction(
            clock=self._clock,
            connectors=self._connectors,
            action=action,
            manifests=manifests,
            subject=Subject(
                kind=KIND,
                origin=action.source or _HERE,
                name=action.name,
                version=str(action.version),
                definition=entry.hash,
                depends_on=tuple(NamedHash(str(each.name), each.hash) for each in action.requires),
                accounts=accounts,
            ),
            arguments=arguments,
            blocked=blocked,
        )

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield each time an action was added, edited, enabled, disabled or removed, or a connector came or went."""
        return self._watch.changes()

    async def _spec(self, entry: InstalledAction, action: Action) -> ToolSpec:
        return ToolSpec(
            tool=ToolId(KIND, action.name),
            name=action.tool_name,
            origin=action.source or _HERE,
            title=action.name,
            version=str(action.version),
            description=action.description,
            input_schema=input_schema(action.inputs),
            definition=entry.hash,
            approval_required=action.approval.required,
            annotations=Annotations(idempotent=await self._may_repeat(action)),
        )

    async def _may_repeat(self, action: Action) -> bool:
        """Say whether every operation is declared as one that may be repeated.

        A manifest says no more of effects than that, and nothing of whether an operation changes or destroys things.
        """
        try:
            manifests = {str(pinned.name): await self._connectors.check(pinned) for pinned in action.requires}
            return all(manifests[str(step.connector)].ops[step.op].idempotent for step in action.steps)
        except (Failure, KeyError):
            return False  # it cannot run as things are; the run says why


def _accounts(
    connectors: ConnectorService, manifests: Mapping[str, Manifest]
) -> tuple[tuple[Account, ...], Failure | None]:
    """Return the accounts that the connectors act as, and why one is missing if one is."""
    accounts: list[Account] = []
    for name, manifest in manifests.items():
        try:
            account = connectors.account(manifest)
        except Failure as failure:
            return tuple(accounts), failure.with_details({"connector": name})
        if account is not None:
            accounts.append(account)
    return tuple(accounts), None
