"""HTTP: registering and listing users."""

import hashlib
import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request

from fleet_kit.client_address import client_address
from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict, Forbidden, Unauthorized
from fleet_kit.idempotency import Idempotency
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser, Principal, Role, current_principal
from fleet_kit.schemas import Text
from signing_service.passwords import Asker
from signing_service.users import service
from signing_service.users.schemas import Registration, Sort, UserOut

router = APIRouter(tags=["users"])


@raises(Unauthorized, Forbidden)
async def _registrar(request: Request) -> Principal | None:
    """The platform administrator, or None for a stranger; raises Forbidden where strangers may not."""
    is_open = request.app.state.registration == "open"
    try:
        principal = await current_principal(request) if "authorization" in request.headers else None
    except Unauthorized:
        if not is_open:
            raise
        principal = None
    if principal is not None and principal.is_admin:
        return principal
    if not is_open:
        raise Forbidden(
            "accounts of this installation are made by its platform administrator", code="REGISTRATION_CLOSED"
        )
    return None


@raises(Conflict)
async def _idempotency(
    request: Request,
    session: DbSession,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Idempotency:
    """Keyed, unlike the kit's own: the body holds a password, and a plain hash of it must not be stored."""
    return Idempotency(session, idempotency_key, _keyed_hash(request, await request.body()))


def _owner(request: Request, email: str) -> str:
    """Whose Idempotency-Key it is: that address's, for strangers without a login may choose the same key."""
    return f"registration:{_keyed_hash(request, email.encode())}"


def _keyed_hash(request: Request, content: bytes) -> str:
    pepper: bytes = request.app.state.keys.pepper
    return hmac.new(pepper, content, hashlib.sha256).hexdigest()


async def _asker(request: Request, registrar: Principal | None) -> Asker:
    """Who waits for the hash; raises LimitReached for a stranger with one attempt too many."""
    if registrar is not None:
        return Asker(str(registrar.user_id), is_stranger=False)
    address = client_address(request.scope)
    await request.app.state.registration_limit.count(address)
    return Asker(address, is_stranger=True)


@router.post("/auth/register", status_code=201)
@router.post("/users/add", status_code=201, operation_id="add_user")
@raises(Conflict)
async def register(
    wanted: Registration,
    request: Request,
    session: DbSession,
    registrar: Annotated[Principal | None, Depends(_registrar)],
    idempotency: Annotated[Idempotency, Depends(_idempotency)],
) -> UserOut:
    """Create an organisation and its admin. Unless registration is open, the platform administrator does.

    What strangers do is limited by address and counted before anything is looked up.
    """
    asker = await _asker(request, registrar)
    names = (wanted.email.partition("@")[0], wanted.organization_name or "")
    password_hash = await request.app.state.passwords.hash_new(
        wanted.password.get_secret_value(), asker, names
    )
    owner = _owner(request, wanted.email)
    earlier: Any = await idempotency.replay(owner)
    if earlier is not None:
        return UserOut.model_validate(earlier)
    user = await service.register(session, password_hash, wanted.email, wanted.organization_name)
    answer = UserOut.model_validate(user)
    await idempotency.remember(owner, answer.model_dump(mode="json"))
    return answer


@router.get("/users/")
async def list_users(
    user: CurrentUser,
    session: DbSession,
    paging: Paging,
    role: Role | None = None,
    search: Annotated[Text | None, Query(max_length=254)] = None,
    sort: Sort = "created_at",
) -> Page[UserOut]:
    """Users of one's own organisation; all for a platform administrator."""
    users = service.UserService(session, user.scope)
    return (await users.page(paging, role=role, search=search, sort=sort)).to_page(
        UserOut.model_validate, paging
    )
