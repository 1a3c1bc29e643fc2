"""Calls the engine's C interface for the one world we host: fresh store, bounded, called, dropped.

wasmtime's Python layer looks up every type again on every call, keeps host functions and the last exception in
process-wide variables (so one thread's exception surfaces in another), and has no epoch callback. For five functions
of fixed types it is both safer and twice as fast to speak to the library directly. This is the only module that does.
"""

import ctypes
import threading
from collections.abc import Callable
from ctypes import POINTER, byref, c_bool, c_char_p, c_double, c_int64, c_size_t, c_uint8, c_uint64, c_void_p
from typing import Any, Protocol, TypeVar

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime.component import Component, ExportIndex, Linker

from daemon.connectors.wasm import limits
from daemon.connectors.wasm.interface import HOST_INTERFACE

T = TypeVar("T")

# A value is a one-byte kind, padded to eight bytes, and a union; the kind is written as eight bytes in one go.
_F64, _STRING, _RESULT = 10, 12, 19


class _Value(ctypes.Structure):
    """A component value that is a string, or the beginning of one that is not."""

    _fields_ = (("kind", c_uint64), ("size", c_size_t), ("data", c_void_p), ("rest", c_uint64))


class _Argument(ctypes.Structure):
    """A string argument; it borrows the bytes object's memory for the length of the call."""

    _fields_ = (("kind", c_uint64), ("size", c_size_t), ("data", c_char_p), ("rest", c_uint64))


class _Outcome(ctypes.Structure):
    """A component value that is a result; the value is a pointer to what it carries."""

    _fields_ = (("kind", c_uint64), ("is_ok", c_bool), ("value", c_void_p), ("rest", c_uint64))


class _Number(ctypes.Structure):
    """A component value that is a small number."""

    _fields_ = (("kind", c_uint64), ("u8", c_uint8), ("rest", c_uint64 * 2))


class _Float(ctypes.Structure):
    """A component value that is a floating-point number."""

    _fields_ = (("kind", c_uint64), ("f64", c_double), ("rest", c_uint64 * 2))


class LimitBroken(Exception):
    """A value that the guest handed over is larger than the host is willing to look at."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class GuestTrap(Exception):
    """The guest did not return; the message is the engine's last line, which holds no text of the guest."""


class HostCall(Protocol):
    """What one running guest may ask of its host; called on the guest's thread."""

    failure: BaseException | None

    def http(self, request: str) -> tuple[bool, str]:
        """Answer a request."""
        ...

    def http_too_large(self, size: int) -> tuple[bool, str]:
        """Answer a request that is too large to read."""
        ...

    def log(self, level: int, message: bytes | None, size: int) -> None:
        """Take a log line."""
        ...

    def log_room(self) -> int:
        """Return how many bytes of log may still be handed over."""
        ...

    def now_ms(self) -> float:
        """Return the time."""
        ...

    def random_hex(self, count: int) -> str:
        """Return random bytes in hexadecimal."""
        ...

    def manifest(self) -> str:
        """Return the connector's manifest."""
        ...

    def check(self) -> None:
        """Raise if the guest must stop."""
        ...


def _bind(library: Any, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


# Functions that return in under a microsecond keep the interpreter's lock: to release and take it again costs more
# than they do, and with many threads each would wait for all others. What can run a guest or unmap memory releases it.
_quick = ctypes.PyDLL(str(ffi.filename))
_slow = ctypes.CDLL(str(ffi.filename))
_EPOCH_CALLBACK = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_void_p, POINTER(c_uint64), POINTER(c_uint8))
_HOST_CALLBACK = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t)

_store_new = _bind(_quick, "wasmtime_store_new", c_void_p, c_void_p, c_void_p, c_void_p)
_store_context = _bind(_quick, "wasmtime_store_context", c_void_p, c_void_p)
_store_limiter = _bind(_quick, "wasmtime_store_limiter", None, c_void_p, *[c_int64] * 5)
_set_fuel = _bind(_quick, "wasmtime_context_set_fuel", c_void_p, c_void_p, c_uint64)
_set_deadline = _bind(_quick, "wasmtime_context_set_epoch_deadline", None, c_void_p, c_uint64)
_on_deadline = _bind(
    _quick, "wasmtime_store_epoch_deadline_callback", None, c_void_p, _EPOCH_CALLBACK, c_void_p, c_void_p
)
_store_delete = _bind(_slow, "wasmtime_store_delete", None, c_void_p)
_instantiate = _bind(_slow, "wasmtime_component_linker_instantiate", c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)
_get_function = _bind(_quick, "wasmtime_component_instance_get_func", c_bool, c_void_p, c_void_p, c_void_p, c_void_p)
_call = _bind(
    _slow, "wasmtime_component_func_call", c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t
)
_value_new = _bind(_quick, "wasmtime_component_val_new", c_void_p, c_void_p)
_value_delete = _bind(_quick, "wasmtime_component_val_delete", None, c_void_p)
_bytes_new = _bind(_quick, "wasm_byte_vec_new", None, c_void_p, c_size_t, c_char_p)
_bytes_delete = _bind(_quick, "wasm_byte_vec_delete", None, c_void_p)
_error_new = _bind(_quick, "wasmtime_error_new", c_void_p, c_char_p)
_error_message = _bind(_quick, "wasmtime_error_message", None, c_void_p, c_void_p)
_error_delete = _bind(_quick, "wasmtime_error_delete", None, c_void_p)
_add_function = _bind(
    _quick,
    "wasmtime_component_linker_instance_add_func",
    c_void_p,
    c_void_p,
    c_char_p,
    c_size_t,
    _HOST_CALLBACK,
    c_void_p,
    c_void_p,
)

_VALUE_SIZE = ctypes.sizeof(ffi.wasmtime_component_val_t)
if any(ctypes.sizeof(shape) != _VALUE_SIZE for shape in (_Value, _Argument, _Outcome, _Number, _Float)):
    raise ImportError("this version of wasmtime lays out component values differently; install the locked version")


class _Running(threading.local):
    """What runs on this thread, and the store of what ran last."""

    call: HostCall
    store: int | None = None


_running = _Running()


def _stop(call: HostCall, failure: BaseException) -> int:
    """Keep a host-side exception for the caller and make the guest trap; exceptions must not cross the library."""
    if call.failure is None:
        call.failure = failure
    return int(_error_new(b"stopped by the host"))


@_EPOCH_CALLBACK  # type: ignore[untyped-decorator]
def _epoch(_context: int, _data: int, delta: Any, kind: Any) -> int:
    call = _running.call
    try:
        call.check()
        delta[0] = 1
        kind[0] = 0
        return 0
    except BaseException as failure:  # noqa: BLE001 -- see _stop
        return _stop(call, failure)


def _read_text(address: int, most: int) -> str:
    value = _Value.from_address(address)
    size = value.size
    if size > most:
        raise LimitBroken(size)
    return ctypes.string_at(value.data, size).decode() if size else ""


def _release_text(address: int) -> None:
    _bytes_delete(address + 8)


def _write_text(value: _Value, text: str) -> None:
    raw = text.encode()
    value.kind = _STRING
    _bytes_new(ctypes.addressof(value) + 8, len(raw), raw)


def _host_http(call: HostCall, arguments: int, results: int) -> None:
    try:
        ok, answer = call.http(_read_text(arguments, limits.MAX_REQUEST_BYTES))
    except LimitBroken as broken:
        ok, answer = call.http_too_large(broken.size)
    carried = _Value()
    _write_text(carried, answer)
    outcome = _Outcome.from_address(results)
    outcome.kind, outcome.is_ok, outcome.value = _RESULT, ok, _value_new(byref(carried))


def _host_log(call: HostCall, arguments: int, _results: int) -> None:
    level = _Number.from_address(arguments).u8
    message = _Value.from_address(arguments + _VALUE_SIZE)
    size = message.size
    fits = size <= call.log_room()
    call.log(level, ctypes.string_at(message.data, size) if fits and size else b"" if fits else None, size)


def _host_now(call: HostCall, _arguments: int, results: int) -> None:
    value = _Float.from_address(results)
    value.kind, value.f64 = _F64, call.now_ms()


def _host_random(call: HostCall, arguments: int, results: int) -> None:
    _write_text(_Value.from_address(results), call.random_hex(_Number.from_address(arguments).u8))


def _host_manifest(call: HostCall, _arguments: int, results: int) -> None:
    _write_text(_Value.from_address(results), call.manifest())


def _callback(function: Callable[[HostCall, int, int], None], text_argument: int | None) -> Any:
    """Wrap a host function for the library; no exception, of any kind, leaves it."""

    def guarded(
        _data: int, _context: int, _type: int, arguments: int, _count: int, results: int, _result_count: int
    ) -> int:
        call = _running.call
        try:
            function(call, arguments, results)
            return 0
        except BaseException as failure:  # noqa: BLE001 -- see _stop
            return _stop(call, failure)
        finally:
            if text_argument is not None:
                _release_text(arguments + text_argument * _VALUE_SIZE)

    return _HOST_CALLBACK(guarded)


_HOST_FUNCTIONS = {
    "http": _callback(_host_http, 0),
    "log": _callback(_host_log, 1),
    "now-ms": _callback(_host_now, None),
    "random-hex": _callback(_host_random, None),
    "manifest": _callback(_host_manifest, None),
}


def make_linker(engine: wasmtime.Engine) -> Linker:
    """Make the linker that all programs and threads share: it offers the host interface and nothing else."""
    linker = Linker(engine)
    with linker.root() as root, root.add_instance(HOST_INTERFACE) as instance:
        for name, callback in _HOST_FUNCTIONS.items():
            encoded = name.encode()
            error = _add_function(ctypes.cast(instance.ptr(), c_void_p), encoded, len(encoded), callback, None, None)
            if error:
                raise GuestTrap(_last_line(error))
    return linker


def _last_line(error: int) -> str:
    """Read and free an error; only its last line, because the lines above it hold names the guest chose."""
    text = _Value()
    _error_message(error, ctypes.addressof(text) + 8)
    message = ctypes.string_at(text.data, text.size).decode("utf-8", "replace") if text.size else ""
    _bytes_delete(ctypes.addressof(text) + 8)
    _error_delete(error)
    lines = message.strip().splitlines()
    return lines[-1].strip() if lines else ""


def drop_store() -> None:
    """Free the store of what this thread ran last."""
    store, _running.store = _running.store, None
    if store is not None:
        _store_delete(store)


class Program:
    """A compiled component ready to be instantiated, with the addresses a call needs."""

    def __init__(self, *, engine: wasmtime.Engine, linker: Linker, component: Component) -> None:
        self._kept = (engine, linker, component)
        self._engine = ctypes.cast(engine.ptr(), c_void_p).value
        self._linker = ctypes.cast(linker.ptr(), c_void_p).value
        self._component = ctypes.cast(component.ptr(), c_void_p).value
        self._exports: dict[str, ExportIndex] = {}
        for name in ("describe", "execute"):
            index = component.get_export_index(name)
            if index is not None:
                self._exports[name] = index
        self._addresses = {name: ctypes.cast(index.ptr(), c_void_p).value for name, index in self._exports.items()}

    def instantiate(self, call: HostCall, allowed: limits.CallLimits, *, memories: int) -> None:
        """Instantiate and drop at once, to see whether it can be."""
        self._with_store(call, allowed, memories, lambda _context, _instance: None)

    def call_describe(self, call: HostCall, allowed: limits.CallLimits, *, memories: int) -> str:
        """Call describe and return its text."""

        def body(context: int, instance: Any) -> str:
            result = _Value()
            self._invoke(context, instance, "describe", None, 0, result)
            try:
                return _read_text(ctypes.addressof(result), allowed.result_bytes)
            finally:
                _value_delete(byref(result))

        return self._with_store(call, allowed, memories, body)

    def call_execute(
        self, call: HostCall, allowed: limits.CallLimits, *, memories: int, op: bytes, arguments: bytes
    ) -> tuple[bool, str]:
        """Call execute; the answer is its arm (True for ok) and that arm's text."""

        def body(context: int, instance: Any) -> tuple[bool, str]:
            given = (_Argument * 2)(_Argument(_STRING, len(op), op), _Argument(_STRING, len(arguments), arguments))
            result = _Outcome()
            self._invoke(context, instance, "execute", given, 2, result)
            try:
                return result.is_ok, _read_text(result.value, allowed.result_bytes)
            finally:
                _value_delete(byref(result))

        return self._with_store(call, allowed, memories, body)

    def _invoke(self, context: int, instance: Any, name: str, given: Any, count: int, result: Any) -> None:
        function = ffi.wasmtime_component_func_t()
        if not _get_function(byref(instance), context, self._addresses[name], byref(function)):
            raise GuestTrap("the export is missing")
        error = _call(byref(function), context, given, count, byref(result), 1)
        if error:
            raise GuestTrap(_last_line(error))

    def _with_store(
        self, call: HostCall, allowed: limits.CallLimits, memories: int, body: Callable[[int, Any], T]
    ) -> T:
        """Run something in a fresh store, which stays until drop_store(): its answer need not wait for that."""
        drop_store()
        _running.call = call
        store = _running.store = _store_new(self._engine, None, None)
        try:
            context = _store_context(store)
            # The library's limit counts for each memory; the sum must stay within the call's.
            _store_limiter(
                store,
                allowed.memory_bytes // memories,
                limits.MAX_TABLE_ELEMENTS,
                limits.MAX_INSTANCES,
                limits.MAX_TABLES,
                memories,
            )
            _set_fuel(context, allowed.fuel)
            _set_deadline(context, 1)
            _on_deadline(store, _epoch, None, None)
            instance = ffi.wasmtime_component_instance_t()
            error = _instantiate(self._linker, context, self._component, byref(instance))
            if error:
                raise GuestTrap(_last_line(error))
            return body(context, instance)
        finally:
            del _running.call
