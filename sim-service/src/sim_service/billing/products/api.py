"""HTTP: what can be ordered."""

from fastapi import APIRouter

from fleet_kit.pagination import Paging
from fleet_kit.principal import CurrentUser
from sim_service.billing.products.schemas import ProductOut
from sim_service.billing.products.service import ProductService
from sim_service.carrier.dependencies import AppCarrier
from sim_service.carrier.freshness import AgedPage, freshness
from sim_service.platform.dependencies import AppSessions, AppSettings

router = APIRouter(tags=["products"])


@router.get("/products")
async def list_products(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings, paging: Paging
) -> AgedPage[ProductOut]:
    """The catalogue with its age; read from the carrier again when it is old."""
    known = await ProductService(sessions, carrier, fresh=settings.product_fresh_seconds).find(paging)
    page = known.value.to_page(ProductOut.model_validate, paging)
    return AgedPage(**page.model_dump(), **freshness(known))
