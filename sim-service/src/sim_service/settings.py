"""Settings of sim-service; every value can be set by the environment variable of the same name."""

from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from fleet_kit.settings import DatabaseSettings, Secret, ServiceSettings
from sim_service.carrier.models import PaymentMethod

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]
UpToADay = Annotated[float, Field(ge=0, le=86_400)]
Price = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)]


def _interval(seconds: float, of: str) -> Any:
    return Field(seconds, description=f"interval of {of}; 0 switches it off")


class SettingsGroup(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)


class CarrierSettings(SettingsGroup):
    """Access to the carrier's API and its limits."""

    carrier_url: str = Field(
        pattern=r"^https?://[^?#]+[^/?#]$",
        description="base address, with path and without a slash at the end",
    )
    carrier_client_id: str = Field(min_length=1)
    carrier_client_secret: Secret
    carrier_requests_per_second: float = Field(
        10.0, gt=0, le=1000, description="rate limit of all processes together"
    )
    carrier_others_per_five_minutes: Positive = Field(
        100, description="requests for orders, products and tickets, each, of all processes together"
    )
    carrier_local_share: float = Field(
        0.25, gt=0, le=1, description="share of the rate limit for each process while Redis is unavailable"
    )
    carrier_api_versions: tuple[Literal["v1", "v2"], ...] = ("v2", "v1")
    carrier_breaker_failures: Positive = Field(
        5, description="consecutive failures that open the circuit breaker"
    )
    carrier_breaker_seconds: float = Field(
        15.0, gt=0, description="seconds until the open breaker lets one probe through"
    )
    carrier_default_organization: UUID | None = Field(
        None,
        description="owner of every new SIM that a sync finds; unset: new SIMs are unclaimed",
    )


class UsageSettings(SettingsGroup):
    """Pushes of the carrier, retention of usage, and prices for cost estimates."""

    push_username: str | None = Field(
        None, description="user of the carrier's pushes (HTTP Basic); unset: pushes are refused"
    )
    push_password: Secret | None = Field(None, description="password of PUSH_USERNAME")
    stream_records_kept_days: int = Field(
        62, ge=7, le=366, description="days in which a repeated push of a record is recognised"
    )
    usage_tell_seconds: float = Field(
        300, ge=1, description="seconds of streamed usage of a SIM's day that one event collects"
    )
    usage_sync_every_seconds: Seconds = _interval(3600, "the usage sync of all SIMs")
    usage_streamed_every_seconds: Seconds = Field(
        86_400,
        description="interval of the usage sync for SIMs that the streamer covers; 0: as for the others",
    )
    usage_parallel_calls: int = Field(4, ge=1, le=16, description="concurrent requests of the usage sync")
    usage_days_kept: int = Field(1830, ge=200, le=36_600, description="retention of daily usage in days")
    usage_hours_kept: int = Field(400, ge=31, le=3660, description="retention of hourly usage in days")
    usage_price_per_mb: Decimal | None = Field(
        None, ge=0, description="price of a megabyte for cost estimates; unset: no estimate"
    )
    usage_price_per_sms: Decimal | None = Field(
        None, ge=0, description="price of a message for cost estimates"
    )
    usage_currency: str = Field(
        "EUR", pattern="^[A-Z]{3}$", description="currency of the two prices, ISO 4217"
    )


class CacheSettings(SettingsGroup):
    """Lifetimes of cached reads in seconds; 0: not cached."""

    cache_sim_list_seconds: UpToADay = Field(300, description="lists of SIMs")
    cache_sim_seconds: UpToADay = Field(120, description="one SIM")
    cache_usage_seconds: UpToADay = Field(
        600, description="usage of a SIM, including its age when it is read"
    )
    cache_quota_seconds: UpToADay = Field(60, description="a quota, including its age when it is read")


class JobSettings(SettingsGroup):
    """Jobs and their retention."""

    cleanup_every_seconds: Seconds = _interval(86_400, "the retention job")
    jobs_kept_days: Positive = Field(90, description="retention of finished jobs")
    idempotency_kept_hours: int = Field(24, ge=24, description="retention of Idempotency-Keys")
    bulk_most_sims: Positive = Field(100_000, description="largest number of SIMs in one bulk action")
    jobs_per_organization: Positive = Field(
        10_000,
        description="jobs of an organisation that are kept, unless the platform administrator gives it"
        " another limit",
    )
    job_items_per_organization: Positive = Field(
        2_000_000, description="SIMs in all bulk actions of an organisation that are kept, likewise"
    )
    sync_min_seconds: UpToADay = Field(
        60,
        description="seconds after its end in which a sync of the whole account is run again only for the"
        " platform administrator",
    )
    bulk_follow_seconds: Seconds = Field(
        7200,
        description="seconds without progress after which a bulk action ends; open items become `unknown`",
    )
    jobs_parallel: int = Field(
        4, ge=1, le=32, description="concurrent long jobs of one worker, and as many short ones"
    )
    job_lease_seconds: float = Field(
        30.0,
        gt=0,
        description="seconds until another worker takes over a job or change whose lease is not renewed",
    )


class SpreadsheetSettings(SettingsGroup):
    """Bounds of reading and making spreadsheets, in processes of their own."""

    spreadsheet_processes: int = Field(
        2, ge=1, le=32, description="spreadsheets that one process of the service reads or makes at once"
    )
    spreadsheet_memory_mib: int = Field(
        256, ge=192, le=16_384, description="address space in MiB of a process that reads or makes one"
    )
    spreadsheet_wait_seconds: float = Field(
        10.0, ge=0, le=60, description="seconds for which a request waits for such a process"
    )
    import_request_rows: int = Field(5000, ge=1, le=100_000, description="imports with more rows become jobs")
    import_most_cells: Positive = Field(2_500_000, description="largest number of filled cells in an import")
    import_read_seconds: float = Field(
        60.0, ge=1, le=3600, description="processor seconds for reading an import; a request may take half"
    )
    export_xlsx_seconds: float = Field(
        60.0, ge=1, le=3600, description="processor seconds for making an XLSX file"
    )


class Settings(
    ServiceSettings,
    DatabaseSettings,
    CarrierSettings,
    UsageSettings,
    CacheSettings,
    JobSettings,
    SpreadsheetSettings,
):
    """All settings of sim-service."""

    port: int = Field(8003, ge=1, le=65535)
    worker_port: int = Field(8103, ge=1, le=65535)
    sim_sync_every_seconds: Seconds = _interval(900, "the sync of all SIMs")
    usage_fresh_seconds: Seconds = Field(600, description="usage younger than this is not requested again")
    quota_fresh_seconds: Seconds = Field(60, description="a quota younger than this is not requested again")
    event_sync_every_seconds: Seconds = _interval(86_400, "the sync of network events")
    action_kept_days: Positive = Field(400, description="retention of finished changes of SIMs")
    sms_kept_days: int = Field(
        400, ge=30, description="retention of finished messages; the carrier keeps them 7 days"
    )
    event_kept_days: Positive = Field(400, description="retention of network events")
    event_fresh_seconds: Seconds = Field(
        60, description="a diagnosis requests events again when they are older than this"
    )
    connectivity_fresh_seconds: Seconds = Field(
        30, description="connectivity younger than this is not requested again"
    )
    attached_trusted_seconds: float = Field(
        21_600,
        gt=0,
        description="seconds for which `attached` is believed without an update from the network",
    )
    quota_forecast_every_seconds: Seconds = Field(
        3600, description="interval of the quota forecasts; 0 switches them off"
    )
    policy_every_seconds: Seconds = _interval(3600, "the evaluation of top-up policies")
    policies_per_organization: Positive = Field(
        1000,
        description="top-up policies of an organisation, unless the platform administrator gives it another"
        " limit",
    )
    extension_price: Price = Field(
        Decimal("11.90"),
        description="expected gross price of extending a SIM, until an order shows the real one",
    )
    order_fresh_seconds: Seconds = Field(
        600, description="open orders younger than this are not requested again"
    )
    order_sync_every_seconds: Seconds = _interval(3600, "the sync of orders")
    product_fresh_seconds: Seconds = Field(
        86_400, description="a catalogue younger than this is not requested again"
    )
    product_sync_every_seconds: Seconds = _interval(86_400, "the sync of the catalogue")
    policy_decisions_kept_days: Positive = Field(400, description="retention of decisions of top-up policies")
    failed_purchases_kept_days: Positive = Field(
        400, description="retention of top-ups and orders that failed; what cost money is kept"
    )
    deleted_devices_kept_days: int = Field(
        90,
        ge=30,
        description="days in which late events of a deleted device are recognised as such",
    )
    sync_parallel_pages: int = Field(
        4, ge=1, le=16, description="concurrent requests of the sync of all SIMs"
    )
    order_approval_above: Price = Field(
        Decimal("500.00"),
        description="gross price, in the budget's currency, above which an order waits for the platform"
        " administrator; a grant can say otherwise",
    )
    purchase_tax_percent: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)] = Field(
        Decimal(19), description="tax in percent that the carrier adds to the net prices of its catalogue"
    )
    claim_codes_kept_days: Positive = Field(400, description="retention of claim codes after their expiry")
    carrier_payment_method: PaymentMethod = Field(
        PaymentMethod.BANK_TRANSFER, description="default payment method of top-ups"
    )
    topup_price: Price = Field(
        Decimal("11.90"), description="expected gross price of a top-up, until an order shows the real one"
    )
    topup_currency: str = Field("EUR", pattern=r"^[A-Z]{3}$", description="currency of that price")
    topup_look_seconds: float = Field(
        2.0, gt=0, description="interval of the check of purchases that wait for the carrier"
    )
    topup_give_up_seconds: Seconds = Field(
        900, description="seconds after which a purchase with neither answer nor order counts as not made"
    )
    action_attempts: int = Field(
        20,
        ge=1,
        le=1000,
        description="attempts, at most 5 minutes apart, after which a change of a SIM has failed",
    )
    action_parallel: int = Field(4, ge=1, le=32, description="SIMs that one worker changes concurrently")
    drift_policy: Literal["report", "correct", "adopt"] = Field(
        "report",
        description="a SIM's status was changed at the carrier: record it, set it back, or adopt it",
    )
    sms_most_parts: int = Field(10, ge=1, le=255, description="largest number of parts of a message")
    sms_per_organization: Positive = Field(
        1_000_000,
        description="messages that an organisation has written and that are kept, unless the platform"
        " administrator gives it another limit",
    )
    sms_settled_seconds: Seconds = Field(
        60, description="seconds after which a message that the carrier does not list counts as not sent"
    )
    sms_look_every_seconds: float = Field(
        2, gt=0, description="interval of the check for messages to send or to follow"
    )
    tickets_per_organization: Positive = Field(
        10_000,
        description="support tickets of an organisation, unless the platform administrator gives it"
        " another limit",
    )
    ticket_sync_every_seconds: Seconds = _interval(900, "the sync of tickets")
    ticket_settled_seconds: Seconds = Field(
        300, description="seconds after which a ticket that the carrier does not list counts as not opened"
    )


@lru_cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
