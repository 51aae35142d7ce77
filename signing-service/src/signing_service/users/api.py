"""HTTP: registering and listing users."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from fleet_kit.database import DbSession
from fleet_kit.idempotency import IdempotencyKey
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser, Role
from signing_service.users import service
from signing_service.users.schemas import Registration, Sort, UserOut

router = APIRouter(tags=["users"])
_OWNER = "registration"


@router.post("/auth/register", status_code=201)
@router.post("/users/add", status_code=201, operation_id="add_user")
async def register(
    wanted: Registration, request: Request, session: DbSession, idempotency: IdempotencyKey
) -> UserOut:
    """Create an organisation and its admin."""
    earlier: Any = await idempotency.replay(_OWNER)
    if earlier is not None:
        return UserOut.model_validate(earlier)
    user = await service.register(session, request.app.state.passwords, wanted)
    answer = UserOut.model_validate(user)
    await idempotency.remember(_OWNER, answer.model_dump(mode="json"))
    return answer


@router.get("/users/")
async def list_users(
    user: CurrentUser,
    session: DbSession,
    paging: Paging,
    role: Role | None = None,
    search: Annotated[str | None, Query(max_length=254)] = None,
    sort: Sort = "created_at",
) -> Page[UserOut]:
    """Users of one's own organisation; all for a platform administrator."""
    found, total = await service.UserService(session, user.scope).page(
        paging, role=role, search=search, sort=sort
    )
    items = [UserOut.model_validate(item) for item in found]
    return Page(items=items, total=total, page=paging.page, page_size=paging.page_size)
