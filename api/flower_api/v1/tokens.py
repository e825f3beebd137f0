"""`/api/v1/tokens`: API tokens. What a token is stands in one answer alone, that to its creation."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, NotFoundException, PermissionDeniedException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter, QueryParameter

from flower_api import asker, bodies
from flower_api.access import principal as principals
from flower_api.access import tokens as secrets
from flower_api.access.permissions import Permission, Role
from flower_api.access.principal import Principal
from flower_api.reads import Reads
from flower_api.v1 import parameters
from flower_store import audit, tokens
from flower_store.tokens import TokenRecord

USUAL_LIFE = timedelta(days=90)
LONGEST_LIFE = timedelta(days=366)
MOST_CLUSTERS = 100
_TEXT = r"^[^\x00-\x1f\x7f]+$"

TokenId = Annotated[int, PathParameter(name="token_id", ge=1, le=2**31 - 1)]
Slug = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_TEXT)]


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without what it is. `clusters` are null for every cluster; `used_at` is exact to a minute.

    It may do no more than whoever made it may now.
    """

    id: int
    name: str
    role: Role
    clusters: list[str] | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    live: bool


class NewToken(Token, frozen=True, kw_only=True):
    """The token itself is in `token`, now and never again."""

    token: str


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, the newest first; `next` is to be given as `before` for the page behind, null on the last one."""

    tokens: list[Token]
    next: int | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be made; it lives 90 days unless `expires_at` says otherwise, and 366 at most."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_TEXT)]
    role: Role
    clusters: Annotated[list[Slug], msgspec.Meta(min_length=1, max_length=MOST_CLUSTERS)] | None = None
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


@post(
    "/",
    status_code=201,
    before_request=bodies.readable("name"),
    responses={
        201: ResponseSpec(NewToken, description="the token, shown once", generate_examples=False),
        **parameters.REFUSALS,
        403: parameters.problem("it would do more than whoever asks may, or a token asked for another"),
    },
    summary="Make a token",
    tags=["tokens"],
)
async def create(
    request: Request[Any, Any, Any], data: JSONBody[Wanted], reads: NamedDependency[Reads]
) -> Response[NewToken]:
    """With a role and clusters that whoever asks holds."""
    who = principals.of(request)
    _check_maker(who)
    expires_at = _expiry(data.expires_at)
    ids = await _checked(who, data, reads)
    token = secrets.made()
    async with reads.connect() as connection:
        made = await tokens.create(
            connection,
            name=data.name,
            digest=secrets.digest(token),
            role=data.role,
            clusters=ids,
            created_by=who.subject,
            expires_at=expires_at,
        )
        target = {"token": made.id, "name": made.name, "role": made.role, "clusters": made.clusters}
        await audit.note(connection, audit.TOKEN_CREATED, actor=who.name, origin=asker.origin(request), target=target)
        await connection.commit()
    shown = msgspec.structs.asdict(_token(made))
    return Response(NewToken(**shown, token=token), status_code=201, headers={"Cache-Control": "no-store"})


@get("/", responses=parameters.answered(Tokens, "tokens"), summary="Tokens", tags=["tokens"])
async def list_tokens(
    request: Request[Any, Any, Any],
    reads: NamedDependency[Reads],
    *,
    before: Annotated[int | None, QueryParameter(name="before", ge=1, le=2**31 - 1)] = None,
    limit: parameters.Limit = 50,
) -> Tokens:
    """One's own; an admin of every cluster sees those of all."""
    async with reads.connect() as connection:
        found = await tokens.listed(connection, created_by=_owner(request), after=before, limit=limit + 1)
    shown = found[:limit]
    return Tokens(tokens=[_token(one) for one in shown], next=shown[-1].id if len(found) > limit else None)


@delete(
    "/{token_id:int}",
    status_code=200,
    responses=parameters.answered(Token, "the token, revoked"),
    summary="Revoke a token",
    tags=["tokens"],
)
async def revoke(request: Request[Any, Any, Any], token_id: TokenId, reads: NamedDependency[Reads]) -> Token:
    """At once, on every replica. To revoke it again changes nothing."""
    who = principals.of(request)
    async with reads.connect() as connection:
        found = await tokens.revoke(connection, token_id, created_by=_owner(request))
        if found is None:
            raise NotFoundException(f"token_id: there is no token {token_id} of yours")
        target = {"token": found.id, "name": found.name}
        await audit.note(connection, audit.TOKEN_REVOKED, actor=who.name, origin=asker.origin(request), target=target)
        await connection.commit()
    return _token(found)


def _owner(request: Request[Any, Any, Any]) -> str | None:
    """Whose tokens are meant; None are those of all."""
    who = principals.of(request)
    return None if who.may(Permission.ALL_TOKENS) else who.subject


def _check_maker(who: Principal) -> None:
    if who.by_token:
        raise PermissionDeniedException("a token makes no tokens, or one that leaked could never be revoked")
    if who.via == principals.OPEN:
        raise PermissionDeniedException(
            "no access is configured and everybody is answered: a token made now would open the door for good"
        )


def _expiry(given: datetime | None) -> datetime:
    now = datetime.now(UTC)
    if given is None:
        return now + USUAL_LIFE
    if not now < given <= now + LONGEST_LIFE:
        raise ClientException(f"expires_at: must be in the future, at most {LONGEST_LIFE.days} days from now")
    return given


async def _checked(who: Principal, data: Wanted, reads: Reads) -> Sequence[int] | None:
    """The ids of the clusters. Raises PermissionDenied, UnknownCluster."""
    if data.clusters is None:
        if not who.holds(data.role, None):
            raise PermissionDeniedException(f"clusters: the role {data.role} in every cluster is more than you hold")
        return None
    found = [await reads.cluster(slug, Permission.READ) for slug in dict.fromkeys(data.clusters)]
    for one in found:
        if not who.holds(data.role, one.slug):
            raise PermissionDeniedException(f"role: {data.role} in the cluster `{one.slug}` is more than you hold")
    return [one.id for one in found]


def _token(record: TokenRecord) -> Token:
    return msgspec.convert(record, Token, from_attributes=True)
