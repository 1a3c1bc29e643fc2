"""What the two apps are built over: the services, named once."""

from dataclasses import dataclass, field

from daemon.api.browser import BrowserSessions
from daemon.api.denials import Denials
from daemon.approvals.rules import Rules
from daemon.approvals.service import Approvals
from daemon.audit.budget import LogBudget
from daemon.audit.large import LargeValues
from daemon.audit.log import AuditLog
from daemon.audit.repeats import Repeats
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import Clock
from daemon.base.home import Home
from daemon.base.processes import Processes
from daemon.base.settings import Settings
from daemon.connectors.keyring import Keyring
from daemon.connectors.service import ConnectorService
from daemon.db.reader import Reader
from daemon.execution.executor import Executor
from daemon.execution.explanations import Explanations
from daemon.execution.previews import Previews
from daemon.execution.toolbox import Toolbox
from daemon.gateway.proxy import Gateway
from daemon.sandbox.service import Sandboxes
from daemon.sessions.service import Sessions
from daemon.tools.actions.catalog import ActionCatalog
from daemon.vault.bindings import Bindings
from daemon.vault.vault import Vault
from daemon.workspaces.service import Workspaces


@dataclass(slots=True)
class Addresses:
    """Where the two APIs listen; known once the sockets are bound."""

    control: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Every service a route may call."""

    settings: Settings
    home: Home
    clock: Clock
    started_ms: int
    master_token: str
    reader: Reader
    audit: AuditLog
    repeats: Repeats
    budget: LogBudget
    large: LargeValues
    signer: CheckpointSigner
    vault: Vault
    bindings: Bindings
    connectors: ConnectorService
    keyring: Keyring
    catalog: ActionCatalog
    tools: Toolbox
    executor: Executor
    previews: Previews
    explanations: Explanations
    approvals: Approvals
    rules: Rules
    gateway: Gateway
    sessions: Sessions
    sandboxes: Sandboxes
    workspaces: Workspaces
    processes: Processes
    browser: BrowserSessions
    denials: Denials
    addresses: Addresses = field(default_factory=Addresses)
