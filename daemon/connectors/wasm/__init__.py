"""Runs connectors: compiles them once in a child process, then gives every call a fresh, bounded instance."""

from daemon.connectors.wasm.errors import (
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

__all__ = [
    "CallLimits",
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
    "WasmRuntime",
]
