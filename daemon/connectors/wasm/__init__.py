"""Runs connectors: compiles them once in a child process, then gives every call a fresh, bounded instance."""

from daemon.connectors.wasm.call_time import CallTime
from daemon.connectors.wasm.errors import (
    ConnectorBusy,
    ConnectorCancelled,
    ConnectorCrash,
    ConnectorError,
    ConnectorFault,
    ConnectorFuelExhausted,
    ConnectorRejected,
    ConnectorTimeout,
    ResourceExceeded,
)
from daemon.connectors.wasm.limits import CallLimits
from daemon.connectors.wasm.runtime import LoadedConnector, Prepared, WasmRuntime
from daemon.core.turn import Turn

__all__ = [
    "CallLimits",
    "CallTime",
    "ConnectorBusy",
    "ConnectorCancelled",
    "ConnectorCrash",
    "ConnectorError",
    "ConnectorFault",
    "ConnectorFuelExhausted",
    "ConnectorRejected",
    "ConnectorTimeout",
    "LoadedConnector",
    "Prepared",
    "ResourceExceeded",
    "Turn",
    "WasmRuntime",
]
