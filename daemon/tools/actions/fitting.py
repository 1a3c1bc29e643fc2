"""Whether an action fits the connectors it names, worked out once for each pair of files and remembered."""

from collections.abc import Mapping

from daemon.core.action import Action
from daemon.core.capabilities import check_action_capability, check_op, validate_against_manifest
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.manifest import Manifest

_KEPT = 1024


class Fitting:
    """Checks an action against its connectors. All of it depends on two sets of bytes, so a good answer stays good."""

    def __init__(self) -> None:
        self._good: set[tuple[str, ...]] = set()

    def check(self, action: Action, action_hash: str, manifests: Mapping[str, Manifest]) -> None:
        """Refuse an action that uses what its connectors do not have, or what it does not declare."""
        key = (action_hash, *(requirement.hash for requirement in action.requires))
        if key in self._good:
            return
        _check(action, manifests)
        if len(self._good) >= _KEPT:
            self._good.clear()
        self._good.add(key)


def _check(action: Action, manifests: Mapping[str, Manifest]) -> None:
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
