"""/v1/products."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from once_sandbox.products.models import PRODUCTS, product_json

router = APIRouter(tags=["Products"])


@router.get("/v1/products")
async def list_products() -> JSONResponse:
    """All products."""
    return JSONResponse([product_json(entry) for entry in PRODUCTS])
