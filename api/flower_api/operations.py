"""What the reference tells of an operation beyond what Litestar can declare: a status answered in two media types."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, Schema

TEXT = Schema(type=OpenAPIType.STRING)


def also(status: int, media_type: str, schema: Schema = TEXT) -> type[Operation]:
    """The class of an operation whose answers of this status come in this media type, too (`operation_class`)."""

    @dataclass
    class Also(Operation):
        def __post_init__(self) -> None:
            found = (self.responses or {}).get(str(status))
            content = getattr(found, "content", None)
            if content is not None:
                content[media_type] = OpenAPIMediaType(schema=schema)

    return Also
