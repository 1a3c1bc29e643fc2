"""Checks that everything a launch asks for is possible, before anything is made for it."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.launch_request import LaunchRequest
from daemon.sandbox.engine import Engine
from daemon.sandbox.foreign import ForeignImage
from daemon.sandbox.images import Images, Pin
from daemon.sandbox.injection import checked
from daemon.sandbox.labels import NO_SESSION, labels
from daemon.sandbox.user import Folder, check_may_enter, user_for
from daemon.sandbox.workplace import Workplace, Workplaces
from daemon.workspaces.layers.opening import not_opened, opened_down

_ACL = "system.posix_acl_access"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What was found when a launch was surveyed: everything it asks for is possible."""

    request: LaunchRequest
    workplace: Workplace
    """The folder as it was opened. No name is resolved a second time."""
    pin: Pin
    foreign: ForeignImage | None
    user: str
    rootless: bool
    without_limits: Sequence[str]


class Surveyor:
    """Looks at the engine, the folder, the user and the images."""

    def __init__(self, *, engine: Engine, images: Images, workplaces: Workplaces, home: str) -> None:
        self._engine = engine
        self._images = images
        self._workplaces = workplaces
        self._home = home

    async def survey(self, request: LaunchRequest) -> Ground:
        """Check that everything a launch asks for is possible, before anything is made for it."""
        engine = await self._engine.usable()
        if request.resume is None:
            workplace = await self._workplaces.open(Path(request.workspace), request.workspace_way, engine)
        else:
            workplace = await self._workplaces.reopen(request.resume)
        try:
            return await self._survey_with(request, workplace, engine)
        except BaseException:
            self._workplaces.drop(workplace)
            raise

    async def _survey_with(self, request: LaunchRequest, workplace: Workplace, engine: Mapping[str, Any]) -> Ground:
        user = user_for(
            caller=(os.getuid(), os.getgid()),
            owner=workplace.site.work.owner,
            wanted=request.user or workplace.earlier_user(rootless=engine["rootless"]),
            workspace=str(workplace.site.work.path),
            rootless=engine["rootless"],
        )
        if sys.platform == "linux" and not engine["rootless"] and not engine["desktop"]:
            check_may_enter(user, await self._workplaces.run(lambda: entered(workplace)))
        pin = self._images.pin(request.agent)
        if not await self._images.is_there(pin.tag):
            message = f"The image for {request.agent} is not there. Build it: aileron sandbox build {request.agent}"
            raise Failure(FailureClass.NOT_FOUND, message, boundary=Boundary.SANDBOX, details={"image": pin.tag})
        foreign = None
        if request.image is not None:
            foreign = await checked(self._engine, request.image, labels(self._home, NO_SESSION, "examined"))
        return Ground(
            request=request,
            workplace=workplace,
            pin=pin,
            foreign=foreign,
            user=user,
            rootless=engine["rootless"],
            without_limits=engine["without_limits"],
        )


def entered(workplace: Workplace) -> list[Folder]:
    """Return the folders from the root of the work down to where the agent begins, without those that have an ACL.

    They are looked at as they are open: by their names, something else could be found there meanwhile, or nothing.
    Raises Failure if one is not there any more.
    """
    site, found = workplace.site, []
    paths = [site.work.path, *(site.work.path / path for path in _each_down(site.subfolder))]
    try:
        for path, opened in zip(paths, opened_down(site.work.descriptor, site.subfolder), strict=True):
            status = os.fstat(opened)
            if not _has_acl(opened):  # which may allow more than the mode says
                found.append(Folder(str(path), status.st_uid, status.st_gid, status.st_mode))
    except OSError as problem:
        raise not_opened(workplace.folder, problem) from problem
    return found


def _has_acl(opened: int) -> bool:
    try:
        return _ACL in os.listxattr(f"/proc/self/fd/{opened}")
    except OSError:
        return False  # a file system without such attributes has no lists either


def _each_down(subfolder: str) -> Iterator[PurePath]:
    """Yield each folder on the way down to a subfolder, and the subfolder itself."""
    path = PurePath()
    for name in PurePath(subfolder).parts:
        path /= name
        yield path
