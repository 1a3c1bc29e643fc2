"""How parameters are read and shown: plain text without a validator, and plain words in the help.

Typer builds a pydantic validator for every parameter of a command, given or not, and imports pydantic to do so: 80 ms
before any command begins. Here that waits until a value comes that has to become something else.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typer._coercion import RuntimeParam, TypeDescriptor, build_runtime_param
from typer.core import TyperArgument, _TyperParameter

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


def _in_usage(argument: TyperArgument) -> str:
    name = argument.display_name_raw
    return (name if argument.required else f"[{name}]") + ("" if argument.nargs == 1 else "...")


def _no_type(_: TyperArgument, ctx: "Context") -> None:  # noqa: ARG001 - it is called with it
    return None


def set_up_parameters() -> None:
    """Set up every parameter of every command; Typer has no public way to say any of this.

    Parameters wait for their value. An argument is shown as NAME, and not as {NAME} or `NAME <str>`.
    """
    setattr(_TyperParameter, "get_runtime_param", _late)  # noqa: B010 - it is not ours to assign
    setattr(TyperArgument, "_usage_display_name", _in_usage)  # noqa: B010
    setattr(TyperArgument, "display_type_rich", _no_type)  # noqa: B010
