"""What a field may be, where msgspec's message says only that it is something else."""

from collections.abc import Iterator
from typing import Any

from litestar.handlers import BaseRouteHandler
from msgspec import inspect

_OTHER_VALUE = ("Invalid enum value", "Invalid value")
_OTHER_FIELD = "Object contains unknown field"
_OTHER_FORM = "matching regex"


def told(handler: BaseRouteHandler, field: str, message: str) -> str:
    """The message about a parameter or a field of the body, and what would be right."""
    if message.startswith(_OTHER_VALUE):
        values = list(dict.fromkeys(value for one in _types(handler, field) for value in _values(one)))
        return f"{message}: must be one of {', '.join(values)}" if values else message
    if message.startswith(_OTHER_FIELD):
        names = {name for struct in _structs(handler) for name in _names(struct)}
        return f"{message}: may have {', '.join(sorted(names))}" if names else message
    if _OTHER_FORM in message:
        forms = [form for one in _types(handler, field) if (form := _form(one))]
        return f"must be {forms[0]}" if forms else message
    return message


def _types(handler: BaseRouteHandler, field: str) -> Iterator[inspect.Type]:
    """Of the parameter, by its name in the address, and of the body's field."""
    for name, one in handler.parsed_fn_signature.parameters.items():
        if field in (name, getattr(one.kwarg_definition, "query", None)):
            yield from _parts(_inspected(one.raw))
    for struct in _structs(handler):
        if field == struct.tag_field:
            yield inspect.LiteralType((struct.tag,))
        yield from (part for one in struct.fields if one.encode_name == field for part in _parts(one.type))


def _structs(handler: BaseRouteHandler) -> Iterator[inspect.StructType]:
    body = handler.parsed_fn_signature.parameters.get("data")
    if body is not None:
        yield from (part for part in _parts(_inspected(body.raw)) if isinstance(part, inspect.StructType))


def _inspected(annotation: Any) -> inspect.Type:  # noqa: ANN401 - whatever stands in a signature
    return inspect.type_info(annotation)


def _parts(one: inspect.Type) -> Iterator[inspect.Type]:
    """It, or what it is a union of; a type with what is said of it stays whole."""
    if isinstance(one, inspect.UnionType):
        for each in one.types:
            yield from _parts(each)
    elif isinstance(one, inspect.Metadata) and isinstance(one.type, inspect.UnionType):
        yield from _parts(one.type)
    else:
        yield one


def _values(one: inspect.Type) -> list[str]:
    bare = one.type if isinstance(one, inspect.Metadata) else one
    return [str(value) for value in bare.values] if isinstance(bare, inspect.LiteralType) else []


def _names(struct: inspect.StructType) -> list[str]:
    return [*([struct.tag_field] if struct.tag_field else []), *(one.encode_name for one in struct.fields)]


def _form(one: inspect.Type) -> str:
    said = one.extra_json_schema or {} if isinstance(one, inspect.Metadata) else {}
    return str(said.get("description", ""))
