"""Parameters that are text and stay text, without a validator.

Typer builds a pydantic validator for every parameter of a command, given or not, and imports pydantic to do so: 80 ms
before any command begins. Here that waits until a value comes that has to become something else.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typer._coercion import RuntimeParam, TypeDescriptor, build_runtime_param
from typer.core import _TyperParameter

if TYPE_CHECKING:
    from typer._click import Context


@dataclass(frozen=True)
class _Late(RuntimeParam):
    descriptor: TypeDescriptor

    def _coerce_value(self, value: Any, param: _TyperParameter, ctx: "Context") -> Any:
        if self.parameter_info.parser is None:
            if self.annotation is str and isinstance(value, str):
                return value
            if self.annotation == list[str] and all(isinstance(item, str) for item in value):
                return list(value)
        return build_runtime_param(self.descriptor)._coerce_value(value, param=param, ctx=ctx)  # noqa: SLF001


def _late(parameter: _TyperParameter) -> RuntimeParam:
    descriptor = parameter.type_descriptor
    return _Late(descriptor.parameter_info, descriptor.annotation, descriptor)


def validate_late() -> None:
    """Have every parameter of every command wait for its value; Typer has no public way to say so."""
    setattr(_TyperParameter, "get_runtime_param", _late)  # noqa: B010 - it is not ours to assign
