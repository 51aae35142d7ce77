"""What a question about readings is told that asks for more than one request may read."""

from fleet_kit.errors import Unprocessable


class QueryTooLarge(Unprocessable):
    """The same question can never be answered in one request."""

    default_code = "QUERY_TOO_LARGE"


def too_many_readings(most: int) -> QueryTooLarge:
    """One interval holds more readings than a request may read."""
    message = f"one interval holds more than {most} readings; ask for a shorter one, and add these up"
    fields = [{"field": "interval", "message": message}]
    return QueryTooLarge(f"interval: {message}", details={"limit_readings": most, "fields": fields})


def too_many_figures(most: int) -> QueryTooLarge:
    """One interval holds more different metrics than an answer may have figures."""
    message = f"one interval holds more than {most} different metrics; name those to answer with"
    fields = [{"field": "metric", "message": message}]
    return QueryTooLarge(f"metric: {message}", details={"limit_figures": most, "fields": fields})
