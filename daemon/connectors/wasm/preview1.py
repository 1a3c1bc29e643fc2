"""The deny-all WASI preview 1 that core modules are given: a clock and randomness from the host, nothing else.

Go's and C's standard libraries import it whether they use it or not. It lives inside the wrapped component,
in the guest's own memory, so the component still imports only the host interface.
"""

from typing import Final

from daemon.connectors.wasm.interface import Signature


def _signature(parameters: str, results: str = "i") -> Signature:
    letters = {"i": "i32", "l": "i64"}
    return tuple(letters[one] for one in parameters), tuple(letters[one] for one in results)


FUNCTIONS: Final[dict[str, Signature]] = {
    "args_get": _signature("ii"),
    "args_sizes_get": _signature("ii"),
    "environ_get": _signature("ii"),
    "environ_sizes_get": _signature("ii"),
    "clock_res_get": _signature("ii"),
    "clock_time_get": _signature("ili"),
    "fd_advise": _signature("illi"),
    "fd_allocate": _signature("ill"),
    "fd_close": _signature("i"),
    "fd_datasync": _signature("i"),
    "fd_fdstat_get": _signature("ii"),
    "fd_fdstat_set_flags": _signature("ii"),
    "fd_fdstat_set_rights": _signature("ill"),
    "fd_filestat_get": _signature("ii"),
    "fd_filestat_set_size": _signature("il"),
    "fd_filestat_set_times": _signature("illi"),
    "fd_pread": _signature("iiili"),
    "fd_prestat_get": _signature("ii"),
    "fd_prestat_dir_name": _signature("iii"),
    "fd_pwrite": _signature("iiili"),
    "fd_read": _signature("iiii"),
    "fd_readdir": _signature("iiili"),
    "fd_renumber": _signature("ii"),
    "fd_seek": _signature("ilii"),
    "fd_sync": _signature("i"),
    "fd_tell": _signature("ii"),
    "fd_write": _signature("iiii"),
    "path_create_directory": _signature("iii"),
    "path_filestat_get": _signature("iiiii"),
    "path_filestat_set_times": _signature("iiiilli"),
    "path_link": _signature("iiiiiii"),
    "path_open": _signature("iiiiillii"),
    "path_readlink": _signature("iiiiii"),
    "path_remove_directory": _signature("iii"),
    "path_rename": _signature("iiiiii"),
    "path_symlink": _signature("iiiii"),
    "path_unlink_file": _signature("iii"),
    "poll_oneoff": _signature("iiii"),
    "proc_exit": _signature("i", ""),
    "proc_raise": _signature("i"),
    "random_get": _signature("ii"),
    "sched_yield": _signature(""),
    "sock_accept": _signature("iii"),
    "sock_recv": _signature("iiiiii"),
    "sock_send": _signature("iiiii"),
    "sock_shutdown": _signature("ii"),
}

_BAD_DESCRIPTOR = "(i32.const 8)"
_NOT_SUPPORTED = "(i32.const 52)"
_SUCCESS = "(i32.const 0)"
_BOTH_ZERO = f"(i32.store (local.get 0) (i32.const 0)) (i32.store (local.get 1) (i32.const 0)) {_SUCCESS}"

# random-hex returns a string, which the canonical ABI writes where a realloc says, and its place and length at a
# third address. The guest's own realloc cannot serve: Go asks for randomness before its allocator exists. So the
# first 72 bytes of the guest's memory are set aside in locals, used, and put back; the guest is not running meanwhile.
# A target inside those bytes would be overwritten by putting them back, so it is refused (EFAULT).
SCRATCH_TEXT: Final = 8
_DRAW = 32
_SAVED = (SCRATCH_TEXT + 2 * _DRAW) // 8

_SAVE = "".join(f"(local.set {3 + slot} (i64.load (i32.const {8 * slot})))" for slot in range(_SAVED))
_RESTORE = "".join(f"(i64.store (i32.const {8 * slot}) (local.get {3 + slot}))" for slot in range(_SAVED))


def _digit(place: int) -> str:
    """Load the hex digit at this place of the pair and turn it into its value: four low bits, and nine for a letter."""
    load = f"(i32.load8_u offset={SCRATCH_TEXT + place} (i32.shl (local.get 2) (i32.const 1)))"
    return f"(i32.add (i32.and {load} (i32.const 15)) (i32.mul (i32.shr_u {load} (i32.const 6)) (i32.const 9)))"


_RANDOM_GET = f"""
  (local i32 {"i64 " * _SAVED})
  (if (i32.lt_u (local.get 0) (i32.const {SCRATCH_TEXT + 2 * _DRAW})) (then (return (i32.const 21))))
  {_SAVE}
  (block $done (loop $draw
    (br_if $done (i32.eqz (local.get 1)))
    (call $random (i32.const {_DRAW}) (i32.const 0))
    (local.set 2 (i32.const 0))
    (loop $next
      (i32.store8 (local.get 0) (i32.or (i32.shl {_digit(0)} (i32.const 4)) {_digit(1)}))
      (local.set 0 (i32.add (local.get 0) (i32.const 1)))
      (local.set 1 (i32.sub (local.get 1) (i32.const 1)))
      (local.set 2 (i32.add (local.get 2) (i32.const 1)))
      (br_if $draw (i32.eqz (local.get 1)))
      (br_if $next (i32.lt_u (local.get 2) (i32.const {_DRAW}))))
    (br $draw)))
  {_RESTORE}
  {_SUCCESS}"""

_BODIES: Final[dict[str, str]] = {
    "args_get": _SUCCESS,
    "environ_get": _SUCCESS,
    "args_sizes_get": _BOTH_ZERO,
    "environ_sizes_get": _BOTH_ZERO,
    "clock_res_get": f"(i64.store (local.get 1) (i64.const 1000000)) {_SUCCESS}",
    "clock_time_get": (
        "(i64.store (local.get 2) (i64.mul (i64.trunc_sat_f64_s (f64.mul (call $now) (f64.const 1000)))"
        f" (i64.const 1000))) {_SUCCESS}"
    ),
    "random_get": _RANDOM_GET,
    # What is written is dropped, and the writer is told that all of it was written, because libraries stop at an error.
    "fd_write": f"""
      (local i32)
      (block $done (loop $next
        (br_if $done (i32.eqz (local.get 2)))
        (local.set 4 (i32.add (local.get 4) (i32.load offset=4 (local.get 1))))
        (local.set 1 (i32.add (local.get 1) (i32.const 8)))
        (local.set 2 (i32.sub (local.get 2) (i32.const 1)))
        (br $next)))
      (i32.store (local.get 3) (local.get 4))
      {_SUCCESS}""",
    "sched_yield": _SUCCESS,
    "poll_oneoff": _NOT_SUPPORTED,
    "proc_raise": _NOT_SUPPORTED,
    "proc_exit": "unreachable",
}


def body(name: str) -> str:
    """Return the WebAssembly text of one function's body: a descriptor nobody opened, unless it is known better."""
    return _BODIES.get(name, _BAD_DESCRIPTOR)
