"""The inputs of one operation as its connector gets them: filled in, and encoded as the manifest says."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from daemon.core.canonical import canonical_json
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.manifest import Op, OpInput
from daemon.core.references import ARGUMENTS, Reference, TemplateError
from daemon.core.templates import Template
from daemon.core.url_templates import is_whole_url

Fill = Callable[[Template], Any]


def render_inputs(
    op: Op, templates: Mapping[str, Template], args: Mapping[str, Any], steps: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the connector is called with; an input that is only an argument nobody gave is left out.

    A table for an input in JSON becomes its text here, after the arguments are in their places, so that no argument can
    reach what stands beside it. Raises the Failure that says which placeholder has no value, or one that does not fit.
    """
    return {
        name: _encoded(name, template, op.inputs.get(name), template.render(args, steps))
        for name, template in _bound(op, templates, args).items()
    }


def outline_inputs(op: Op, templates: Mapping[str, Template], args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same inputs as far as they are known before the first step runs, with JSON still as a value.

    What waits for the result of a step is a Reference or Unfinished. Raises what `render_inputs` would raise for them.
    """
    outlined: dict[str, Any] = {}
    for name, template in _bound(op, templates, args).items():
        value = template.outline(args)
        if not isinstance(value, Reference):
            _check(name, template, op.inputs.get(name), value)
        outlined[name] = value
    return outlined


def problem_with(name: str, template: Template, declared: OpInput) -> str | None:
    """Say what is wrong with the way a file gives an input, together with what would be right; None if nothing is."""
    try:
        _as_declared(template, declared)
    except TemplateError as error:
        hint = str(error) if error.safe_form is None else f"Write it as a table: {name} = {error.safe_form}"
        return f"{error.problem}. {hint}"
    if declared.format == "json" and template.is_text and not _is_json(template.node):
        return 'is not JSON, which it must be. Write a table, like { text = "hello" }, or text that holds JSON.'
    if declared.type == "string" and declared.format != "json" and template.is_table_or_list:
        return "is a table or a list, but the connector takes text there, and does not say that it holds JSON."
    return None


def _bound(op: Op, templates: Mapping[str, Template], args: Mapping[str, Any]) -> dict[str, Template]:
    bound: dict[str, Template] = {}
    for name, template in templates.items():
        only = template.only_reference
        if only is not None and only.root == ARGUMENTS and only.path[0] not in args:
            continue
        declared = op.inputs.get(name)
        try:
            bound[name] = template if declared is None else _as_declared(template, declared)
        except TemplateError as error:
            raise _refused(name, f"{error.problem}. {error}") from error
    return bound


def _as_declared(template: Template, declared: OpInput) -> Template:
    if declared.format == "url":
        return template.as_url()
    if declared.format == "json":
        return template.as_json()
    return template


def _encoded(name: str, template: Template, declared: OpInput | None, value: Any) -> Any:
    _check(name, template, declared, value)
    if declared is None or declared.format != "json" or isinstance(value, str):
        return value
    return canonical_json(value)


def _check(name: str, template: Template, declared: OpInput | None, value: Any) -> None:
    """Refuse a value that is not of the declared form. Only one that was filled in whole can fail here."""
    if declared is None or not isinstance(value, str):
        return
    if declared.format == "json" and not _is_json(value):
        raise _refused(name, "is text that is not JSON, which the operation wants there")
    if declared.format == "url" and template.only_reference is not None and not is_whole_url(value):
        raise _refused(name, "is not an absolute http or https URL without a user name and without spaces")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _refused(name: str, problem: str) -> Failure:
    return Failure(
        FailureClass.INVALID_ARGUMENTS,
        f"The input {name!r} {problem.rstrip('.')}.",
        boundary=Boundary.ACTION,
        details={"input": name},
    )
