"""HTTP: what can be ordered."""

from fastapi import APIRouter

from fleet_kit.pagination import Paging
from fleet_kit.principal import CurrentUser
from sim_service.freshness import AgedPage, freshness
from sim_service.products.schemas import ProductOut
from sim_service.products.service import ProductService
from sim_service.resources import AppCarrier, AppSessions, AppSettings

router = APIRouter(tags=["products"])


@router.get("/products")
async def list_products(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings, paging: Paging
) -> AgedPage[ProductOut]:
    """The catalogue with its age; read from the carrier again when it is old."""
    known = await ProductService(sessions, carrier, fresh=settings.product_fresh_seconds).find(paging)
    page = known.value.shown_as(ProductOut.of, paging)
    return AgedPage(**page.model_dump(), **freshness(known))
