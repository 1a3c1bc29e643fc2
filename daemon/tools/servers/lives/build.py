"""Puts together what holds the servers of a daemon, and ends it in the right order."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from daemon.base.clock import Clock
from daemon.base.tasks import TaskSet
from daemon.net.http1.pool import Pool as HttpPool
from daemon.tools.servers.hearing import Told
from daemon.tools.servers.keeping.log import ServerLogs
from daemon.tools.servers.keeping.process import Keeping
from daemon.tools.servers.lending import AccountOf, Configured, HeldServers, nobody
from daemon.tools.servers.lives.opening import (
    AnswersOf,
    AuthorisationOf,
    Opener,
    Surroundings,
    no_answers,
    no_login,
)
from daemon.tools.servers.lives.pool import Pool
from daemon.tools.servers.lives.put_in import PlainSecrets, SecretsOfVault


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What this part offers."""

    held: HeldServers
    pool: Pool
    opener: Opener
    logs: ServerLogs


def build(
    *,
    configured: Configured,
    secrets: PlainSecrets,
    logs: ServerLogs,
    http: HttpPool,
    surroundings: Surroundings,
    clock: Clock,
    tasks: TaskSet,
    stops: AsyncExitStack,
    authorisation_of: AuthorisationOf = no_login,
    account_of: AccountOf = nobody,
    answers_of: AnswersOf = no_answers,
) -> Holding:
    """Join the parts; nothing is started before somebody needs it.

    Their ends are put into `stops`. The tasks must be ended after them: the caller has put their end there before.
    """
    stops.callback(logs.close)
    stops.push_async_callback(http.close)
    keeping = Keeping(tasks)
    stops.push_async_callback(keeping.close)
    opener = Opener(
        secrets=SecretsOfVault(secrets),
        keeping=keeping,
        logs=logs,
        http=http,
        surroundings=surroundings,
        authorisation_of=authorisation_of,
        answers_of=answers_of,
    )
    pool = Pool(opener.open, clock, tasks, configured=configured)
    stops.push_async_callback(pool.close)
    tasks.start(pool.follow(), name="follow the configuration of servers")
    told = Told()
    opener.on_notice = told.tell
    held = HeldServers(
        configured=configured,
        lender=pool,
        scrubber_of=opener.secrets_known.scrubber_of,
        told=told,
        account_of=account_of,
    )
    return Holding(held=held, pool=pool, opener=opener, logs=logs)
