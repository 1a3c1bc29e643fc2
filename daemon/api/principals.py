"""Who a request is from: the door puts it into the scope, and routes read it from there."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.types import Scope

from daemon.core.principal import Principal

_KEY = "aileron.principal"


def let_in(scope: Scope, principal: Principal) -> None:
    """Note who a request is from; only a door does this, once it has seen a proof."""
    scope[_KEY] = principal


def who_in(scope: Scope) -> Principal:
    """Return who a request is from. A route behind no door has nobody to name, and fails with KeyError."""
    principal: Principal = scope[_KEY]
    return principal


async def principal_of(request: Request) -> Principal:
    """Return who a request is from, as the framework asks for it."""
    return who_in(request.scope)


Who = Annotated[Principal, Depends(principal_of)]
"""A parameter of a route: who asks."""
