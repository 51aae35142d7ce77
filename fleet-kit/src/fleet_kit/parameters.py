"""What every route checks of its address."""

from fastapi import Request

from fleet_kit.errors import invalid
from fleet_kit.schemas import check_texts


async def check_parameters(request: Request) -> None:
    """Refuse parameters of the path and the query with a text that cannot be stored."""
    for name, value in (*request.path_params.items(), *request.query_params.multi_items()):
        try:
            check_texts(value)
        except ValueError as error:
            raise invalid(name, str(error)) from None
