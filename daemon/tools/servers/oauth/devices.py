"""The login without a browser on this machine: a code that the person types on another one (RFC 8628)."""

import asyncio
from dataclasses import dataclass, field

from daemon.base.clock import Clock
from daemon.core.visible import visible
from daemon.tools.servers.oauth.clients import DEVICE_GRANT
from daemon.tools.servers.oauth.grants import Grant, ask_for_tokens
from daemon.tools.servers.oauth.pending import Pending
from daemon.tools.servers.oauth.problems import LoginError

_INTERVAL = 5.0
SLOWER = 5.0
_LONGEST_INTERVAL = 60.0
_LONGEST_CODE = 64
_MOST_SECONDS = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What the person is told, and what is asked with."""

    url: str
    user_code: str
    device_code: str = field(repr=False)
    interval: float
    seconds: float


async def begin_device(login: Pending) -> Device:
    """Ask for a code; raises LoginError."""
    server = login.found.server
    if server.device_url is None:
        raise LoginError(f"{server.issuer} offers no login by a device. Leave --device out; --paste works from afar.")
    own, basic = login.client.told()
    fields = {**own, "resource": login.found.resource.resource}
    if login.scopes:
        fields["scope"] = " ".join(login.scopes)
    said = await login.asker.form(server.device_url, fields, basic=basic)
    code, typed = said.get("device_code"), said.get("user_code")
    if not (isinstance(code, str) and code and isinstance(typed, str) and 0 < len(typed) <= _LONGEST_CODE):
        raise LoginError(f"{server.issuer} gave no code to type.")
    place = said.get("verification_uri_complete") or said.get("verification_uri")
    return Device(
        url=login.asker.places.read(place, f"The address to type the code at of {server.issuer}").url,
        user_code=visible(typed),
        device_code=code,
        interval=_number(said.get("interval"), _INTERVAL, _LONGEST_INTERVAL),
        seconds=_number(said.get("expires_in"), _MOST_SECONDS, _MOST_SECONDS),
    )


async def wait_for_device(login: Pending, device: Device, grant: Grant, clock: Clock) -> Grant:
    """Ask until the person has typed the code; raises LoginError if they refuse, or do not come."""
    interval, end = device.interval, clock.monotonic() + device.seconds
    fields = {"grant_type": DEVICE_GRANT, "device_code": device.device_code}
    while clock.monotonic() < end:
        await asyncio.sleep(interval)
        try:
            return await ask_for_tokens(login.asker, grant, fields, clock.now_ms())
        except LoginError as problem:
            if problem.code == "slow_down":
                interval = min(interval + SLOWER, _LONGEST_INTERVAL)
            elif problem.code == "access_denied":
                raise LoginError("You refused it there.", code=problem.code) from problem
            elif problem.code != "authorization_pending":
                raise
    raise LoginError("Nobody typed the code in time.")


def _number(value: object, otherwise: float, most: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return min(float(value), most)
    return otherwise
