"""Checks a request against the world as it is now; done for every request and again before an approved one runs."""

from daemon.actions.catalog import ActionCatalog
from daemon.actions.requests import PreparedRun, RunRequest
from daemon.connectors.service import ConnectorService
from daemon.core.capabilities import check_action_capability, check_op, validate_against_manifest
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.manifest import Manifest
from daemon.core.op_inputs import outline_inputs
from daemon.core.schema import validate_arguments
from daemon.sessions.service import Sessions


class Preparation:
    """Authorises, loads, and checks hashes, capabilities and arguments, in that order."""

    def __init__(self, *, catalog: ActionCatalog, connectors: ConnectorService, sessions: Sessions) -> None:
        self._catalog = catalog
        self._connectors = connectors
        self._sessions = sessions

    async def prepare(self, request: RunRequest) -> PreparedRun:
        """Return a run that may start, or the failure that says why it may not."""
        if not self._sessions.is_open(request.session):
            raise Failure(
                FailureClass.CAPABILITY_DENIED,
                "The session that asks has ended; start a new one.",
                boundary=Boundary.USER,
            )
        entry, action = self._catalog.runnable(request.action)
        arguments = validate_arguments(action.inputs, request.arguments)
        manifests: dict[str, Manifest] = {}
        for requirement in action.requires:
            manifests[str(requirement.name)] = await self._connectors.check(requirement)
        for step in action.steps:
            manifest = manifests[str(step.connector)]
            check_op(manifest, step.op)
            check_action_capability(action, step, manifest)
        for manifest in manifests.values():
            problems = validate_against_manifest(action, manifest)
            if problems:
                raise Failure(
                    FailureClass.INVALID_ARGUMENTS,
                    f"The action {action.name!r} does not fit its connector {manifest.name}: {' '.join(problems)}",
                    boundary=Boundary.ACTION,
                    details={"problems": problems},
                )
        for step in action.steps:
            # An argument that cannot stand in its place is refused now, not after the steps before it have run.
            outline_inputs(manifests[str(step.connector)].ops[step.op], step.inputs, arguments)
        for requirement in action.requires:
            # A missing binding or a locked vault is said before anything starts: no approval is spent on it.
            self._connectors.check_credential(manifests[str(requirement.name)])
        return PreparedRun(
            request=request,
            action=action,
            action_hash=entry.hash,
            manifests=manifests,
            arguments=arguments,
        )
