from fleet_kit.schemas import ResponseModel


class KeyOut(ResponseModel):
    """A device's new key; shown only now."""

    key: str
