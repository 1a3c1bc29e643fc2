"""The words of the audit log: every type of event, and every attribute that an event may carry.

Types are `family.what_happened`. Attribute names follow OpenTelemetry; those of ours begin with `aileron.`. A reader of
an export can count on them: a name that was written once keeps its meaning.
"""

from enum import StrEnum
from typing import Final


class EventType(StrEnum):
    """What happened."""

    ACTION_DISABLED = "action.disabled"
    ACTION_ENABLED = "action.enabled"
    ACTION_REFUSED = "action.refused"

    APPROVAL_APPROVED = "approval.approved"
    APPROVAL_DENIED = "approval.denied"
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_PREVIEWED = "approval.previewed"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_VOID = "approval.void"
    APPROVAL_WAITING = "approval.waiting"
    APPROVAL_WITHDRAWN = "approval.withdrawn"

    AUDIT_ATTACHMENTS_REMOVED = "audit.attachments_removed"
    AUDIT_RECOVERED = "audit.recovered"
    AUDIT_RESUMED = "audit.resumed"

    BINDING_CHOSEN = "binding.chosen"
    BINDING_CREATED = "binding.created"
    BINDING_REVOKED = "binding.revoked"

    CONNECTOR_INSTALL_REFUSED = "connector.install_refused"
    CONNECTOR_INSTALLED = "connector.installed"
    CONNECTOR_KEY_REVOKED = "connector.key_revoked"
    CONNECTOR_KEY_TRUSTED = "connector.key_trusted"
    CONNECTOR_REMOVED = "connector.removed"
    CONNECTOR_REQUEST_DENIED = "connector.request_denied"

    CONSENT_GRANTED = "consent.granted"

    EXECUTION_FAILED = "execution.failed"
    EXECUTION_STARTED = "execution.started"
    EXECUTION_STEP = "execution.step"
    EXECUTION_SUCCEEDED = "execution.succeeded"
    EXECUTION_UNKNOWN = "execution.unknown"

    GATEWAY_FAILED = "gateway.failed"
    GATEWAY_REQUEST = "gateway.request"

    HOME_BACKED_UP = "home.backed_up"
    HOME_RESTORED = "home.restored"

    QUESTION_ANSWERED = "question.answered"
    QUESTION_ASKED = "question.asked"
    QUESTION_ENDED = "question.ended"

    SANDBOX_ATTACHED = "sandbox.attached"
    SANDBOX_ENDED = "sandbox.ended"
    SANDBOX_EXEC_ENDED = "sandbox.exec_ended"
    SANDBOX_EXEC_STARTED = "sandbox.exec_started"
    SANDBOX_STARTED = "sandbox.started"

    SERVER_ADDED = "server.added"
    SERVER_DISABLED = "server.disabled"
    SERVER_ENABLED = "server.enabled"
    SERVER_FILE_CHANGED = "server.file_changed"
    SERVER_FORGOTTEN = "server.forgotten"
    SERVER_LOGGED_IN = "server.logged_in"
    SERVER_LOGGED_OUT = "server.logged_out"
    SERVER_LOGIN_ENDED = "server.login_ended"
    SERVER_LOGIN_FAILED = "server.login_failed"
    SERVER_LOGIN_RENEWED = "server.login_renewed"
    SERVER_REMOVED = "server.removed"
    SERVER_RESTARTED = "server.restarted"
    SERVER_SAMPLING_ALLOWED = "server.sampling_allowed"
    SERVER_SAMPLING_REFUSED = "server.sampling_refused"
    SERVER_TOOLS_ACCEPTED = "server.tools_accepted"
    SERVER_TOOLS_CHANGED = "server.tools_changed"
    SERVER_TOOLS_PINNED = "server.tools_pinned"

    SESSION_DENIED = "session.denied"
    SESSION_ENDED = "session.ended"
    SESSION_STARTED = "session.started"

    SETTINGS_CHANGED = "settings.changed"

    VAULT_CREATED = "vault.created"
    VAULT_LOCKED = "vault.locked"
    VAULT_PASSPHRASE_CHANGED = "vault.passphrase_changed"  # noqa: S105 - the name of an event
    VAULT_SECRET_REMOVED = "vault.secret_removed"  # noqa: S105 - the name of an event
    VAULT_SECRET_SET = "vault.secret_set"  # noqa: S105 - the name of an event
    VAULT_UNLOCKED = "vault.unlocked"

    WORKSPACE_COMMITS_LANDED = "workspace.commits_landed"
    WORKSPACE_COMMITS_LANDING_FAILED = "workspace.commits_landing_failed"
    WORKSPACE_COMMITS_LANDING_STARTED = "workspace.commits_landing_started"
    WORKSPACE_DISCARDED = "workspace.discarded"
    WORKSPACE_LANDED = "workspace.landed"
    WORKSPACE_LANDING_FAILED = "workspace.landing_failed"
    WORKSPACE_LANDING_LATE = "workspace.landing_late"
    WORKSPACE_LANDING_LEFT = "workspace.landing_left"
    WORKSPACE_LANDING_PATHS = "workspace.landing_paths"
    WORKSPACE_LANDING_STARTED = "workspace.landing_started"
    WORKSPACE_LANDING_UNDONE = "workspace.landing_undone"


class Attr:
    """What is said about it: the keys of an event's payload."""

    ACTION_ARGUMENTS: Final = "aileron.action.arguments"
    ACTION_HASH: Final = "aileron.action.hash"
    ACTION_REQUESTED: Final = "aileron.action.requested"
    ACTION_VERSION: Final = "aileron.action.version"

    APPROVAL_DIGEST: Final = "aileron.approval.digest"
    APPROVAL_ID: Final = "aileron.approval.id"
    APPROVAL_REASON: Final = "aileron.approval.reason"
    APPROVAL_UNATTENDED_REASON: Final = "aileron.approval.unattended_reason"

    ATTACHMENTS: Final = "aileron.attachments"
    ATTACHMENTS_COUNT: Final = "aileron.attachments.count"

    AUDIT_BECAUSE: Final = "aileron.audit.because"
    AUDIT_FIRST: Final = "aileron.audit.first"
    AUDIT_FOUND: Final = "aileron.audit.found"
    AUDIT_LAST: Final = "aileron.audit.last"
    AUDIT_PROBLEMS: Final = "aileron.audit.problems"

    BINDING_HOSTS: Final = "aileron.binding.hosts"
    BINDING_IDENTITY: Final = "aileron.binding.identity"
    BINDING_NAME: Final = "aileron.binding.name"

    CHANGE: Final = "aileron.change"

    CONNECTOR_ACCOUNTS: Final = "aileron.connector.accounts"
    CONNECTOR_FQN: Final = "aileron.connector.fqn"
    CONNECTOR_HASH: Final = "aileron.connector.hash"
    CONNECTOR_HASHES: Final = "aileron.connector.hashes"
    CONNECTOR_KEY_ID: Final = "aileron.connector.key_id"
    CONNECTOR_NEW: Final = "aileron.connector.new"
    CONNECTOR_OP: Final = "aileron.connector.op"
    CONNECTOR_SIGNATURE: Final = "aileron.connector.signature"
    CONNECTOR_SOURCE: Final = "aileron.connector.source"
    CONNECTOR_VERSION: Final = "aileron.connector.version"

    CONSENT_ALLOW_UNSIGNED: Final = "aileron.consent.allow_unsigned"
    CONSENT_CREDENTIAL: Final = "aileron.consent.credential"
    CONSENT_HOSTS: Final = "aileron.consent.hosts"
    CONSENT_KIND: Final = "aileron.consent.kind"
    CONSENT_LIMITS: Final = "aileron.consent.limits"
    CONSENT_OPS: Final = "aileron.consent.ops"

    DECISION: Final = "aileron.decision"
    DECISION_RULE: Final = "aileron.decision.rule"

    DENIALS: Final = "aileron.denials"
    DENIALS_COUNT: Final = "aileron.denials.count"

    EXECUTION_ID: Final = "aileron.execution.id"
    EXECUTION_INTERRUPTED: Final = "aileron.execution.interrupted"
    EXECUTION_STARTED_AUDIT_ID: Final = "aileron.execution.started_audit_id"
    EXECUTION_STEPS: Final = "aileron.execution.steps"

    EXECUTION_MODE: Final = "aileron.execution_mode"

    FAILURE_MESSAGE: Final = "aileron.failure.message"

    GATEWAY_OUTCOME: Final = "aileron.gateway.outcome"
    GATEWAY_PROVIDER: Final = "aileron.gateway.provider"

    HOME_BACKUP_HEAD: Final = "aileron.home.backup.head"
    HOME_BACKUP_MADE_AT: Final = "aileron.home.backup.made_at"
    HOME_BACKUP_SEQ: Final = "aileron.home.backup.seq"
    HOME_ENDED_SESSIONS: Final = "aileron.home.ended_sessions"
    HOME_VOIDED_APPROVALS: Final = "aileron.home.voided_approvals"

    KEY_ID: Final = "aileron.key.id"
    KEY_LABEL: Final = "aileron.key.label"
    KEY_NAMESPACES: Final = "aileron.key.namespaces"
    KEY_REVOKED_REASON: Final = "aileron.key.revoked_reason"

    MS: Final = "aileron.ms"

    PRINCIPAL_MEANS: Final = "aileron.principal.means"

    QUESTION_ACTION: Final = "aileron.question.action"
    QUESTION_DIGEST: Final = "aileron.question.digest"
    QUESTION_FIELDS: Final = "aileron.question.fields"
    QUESTION_HOST: Final = "aileron.question.host"
    QUESTION_ID: Final = "aileron.question.id"
    QUESTION_MESSAGE: Final = "aileron.question.message"
    QUESTION_OTHER_CALLS: Final = "aileron.question.other_calls"
    QUESTION_REASON: Final = "aileron.question.reason"
    QUESTION_STATE: Final = "aileron.question.state"

    REFUSALS_BY_CLASS: Final = "aileron.refusals.by_class"
    REFUSALS_COUNT: Final = "aileron.refusals.count"
    REFUSALS_COUNTED_SINCE: Final = "aileron.refusals.counted_since"

    RESULT_BYTES: Final = "aileron.result.bytes"
    RESULT_SHA256: Final = "aileron.result.sha256"

    SANDBOX_AGENT: Final = "aileron.sandbox.agent"
    SANDBOX_COMMAND: Final = "aileron.sandbox.command"
    SANDBOX_EXEC: Final = "aileron.sandbox.exec"
    SANDBOX_NETWORK: Final = "aileron.sandbox.network"
    SANDBOX_PROBED: Final = "aileron.sandbox.probed"
    SANDBOX_REASON: Final = "aileron.sandbox.reason"
    SANDBOX_WORKSPACE: Final = "aileron.sandbox.workspace"
    SANDBOX_WORKSPACE_RESUMED: Final = "aileron.sandbox.workspace.resumed"
    SANDBOX_WORKSPACE_WAY: Final = "aileron.sandbox.workspace.way"

    SAMPLING_DIGEST: Final = "aileron.sampling.digest"

    SERVER_COUNT: Final = "aileron.server.count"
    SERVER_IDENTITIES: Final = "aileron.server.identities"
    SERVER_IDENTITY: Final = "aileron.server.identity"
    SERVER_ISSUER: Final = "aileron.server.issuer"
    SERVER_NAME: Final = "aileron.server.name"
    SERVER_SCOPES: Final = "aileron.server.scopes"
    SERVER_TOOLS: Final = "aileron.server.tools"
    SERVER_TOOLS_COUNT: Final = "aileron.server.tools.count"
    SERVER_TOOLS_GONE: Final = "aileron.server.tools.gone"
    SERVER_TOOLS_LEFT_OUT: Final = "aileron.server.tools.left_out"
    SERVER_TOOLS_WITHHELD: Final = "aileron.server.tools.withheld"

    SESSION_CAPABILITIES: Final = "aileron.session.capabilities"
    SESSION_END_REASON: Final = "aileron.session.end_reason"
    SESSION_EXPIRES_AT: Final = "aileron.session.expires_at"
    SESSION_KIND: Final = "aileron.session.kind"
    SESSION_LABEL: Final = "aileron.session.label"

    SETTINGS_AFTER: Final = "aileron.settings.after"
    SETTINGS_BEFORE: Final = "aileron.settings.before"
    SETTINGS_LATER: Final = "aileron.settings.later"

    STEP_ID: Final = "aileron.step.id"
    STEP_OP: Final = "aileron.step.op"

    TOOL_ARGUMENTS: Final = "aileron.tool.arguments"
    TOOL_DEFINITION_HASH: Final = "aileron.tool.definition_hash"
    TOOL_KIND: Final = "aileron.tool.kind"
    TOOL_NAME: Final = "aileron.tool.name"
    TOOL_ORIGIN: Final = "aileron.tool.origin"

    TTFB_MS: Final = "aileron.ttfb_ms"

    VAULT_ENTRY: Final = "aileron.vault.entry"

    WORKSPACE_AFTER_CUT: Final = "aileron.workspace.after_cut"
    WORKSPACE_BRANCH: Final = "aileron.workspace.branch"
    WORKSPACE_CONFLICTS: Final = "aileron.workspace.conflicts"
    WORKSPACE_DECIDED: Final = "aileron.workspace.decided"
    WORKSPACE_ITEMS: Final = "aileron.workspace.items"
    WORKSPACE_LANDED: Final = "aileron.workspace.landed"
    WORKSPACE_LANDING: Final = "aileron.workspace.landing"
    WORKSPACE_MODE: Final = "aileron.workspace.mode"
    WORKSPACE_MOVED: Final = "aileron.workspace.moved"
    WORKSPACE_NOTES: Final = "aileron.workspace.notes"
    WORKSPACE_PATHS: Final = "aileron.workspace.paths"
    WORKSPACE_PIECE: Final = "aileron.workspace.piece"
    WORKSPACE_REFS: Final = "aileron.workspace.refs"
    WORKSPACE_REFUSED: Final = "aileron.workspace.refused"
    WORKSPACE_TIPS: Final = "aileron.workspace.tips"
    WORKSPACE_YES_TO: Final = "aileron.workspace.yes_to"

    ERROR_BOUNDARY: Final = "error.boundary"
    ERROR_DETAILS: Final = "error.details"
    ERROR_MESSAGE: Final = "error.message"
    ERROR_TYPE: Final = "error.type"

    HTTP_REQUEST_BODY_SIZE: Final = "http.request.body.size"
    HTTP_REQUEST_METHOD: Final = "http.request.method"
    HTTP_RESPONSE_BODY_SIZE: Final = "http.response.body.size"
    HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"

    PROCESS_EXIT_CODE: Final = "process.exit.code"

    URL_PATH: Final = "url.path"
