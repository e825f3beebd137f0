"""Field selection: `fields=id,state` leaves the other fields of each object out."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response
from litestar.exceptions import ClientException
from msgspec import Struct, structs

from flower_api import arguments


def names(kind: type[Struct]) -> tuple[str, ...]:
    """The fields of a document as it is sent."""
    return tuple(field.encode_name for field in structs.fields(kind))


def chosen(kind: type[Struct], fields: str | None) -> tuple[str, ...] | None:
    """The fields that are asked for; None where all are. An unknown one is refused."""
    if fields is None:
        return None
    known = names(kind)
    wanted = tuple(part.strip() for part in fields.split(",") if part.strip())
    if not wanted:
        raise ClientException("fields: needs names of fields, with commas between them")
    for part in wanted:
        if part not in known:
            raise ClientException(f"fields: there is no field {part!r}{arguments.suggestion(part, known)}")
    return wanted


def listed(document: Struct, key: str, wanted: tuple[str, ...] | None) -> Response[bytes]:
    """A document of a list under this key, each with the chosen fields alone."""
    if wanted is None:
        return _response(document)
    whole = structs.asdict(document)
    items: Sequence[Struct] = whole[key]
    encoded = {field.name: field.encode_name for field in structs.fields(document)}
    shaped = {encoded[name]: value for name, value in whole.items()}
    return _response(shaped | {encoded[key]: [_some(item, wanted) for item in items]})


def one(document: Struct, wanted: tuple[str, ...] | None) -> Response[bytes]:
    """One object with the chosen fields alone."""
    return _response(document if wanted is None else _some(document, wanted))


def _some(item: Struct, wanted: tuple[str, ...]) -> dict[str, Any]:
    by_name = {field.encode_name: field.name for field in structs.fields(item)}
    return {name: getattr(item, by_name[name]) for name in wanted}


def _response(document: object) -> Response[bytes]:
    return Response(msgspec.json.encode(document), media_type="application/json")
