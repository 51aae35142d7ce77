"""Settings of sim-service; every value can be set by the environment variable of the same name."""

from decimal import Decimal
from functools import lru_cache
from typing import Literal
from uuid import UUID

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from fleet_kit.settings import DatabaseSettings, Secret, ServiceSettings
from sim_service.carrier.facts import PaymentMethod


class CarrierSettings(BaseSettings):
    """How the carrier is reached."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    carrier_url: str = Field(
        pattern=r"^https?://[^?#]+[^/?#]$",
        description="base address, with path and without a slash at the end",
    )
    carrier_client_id: str = Field(min_length=1)
    carrier_client_secret: Secret
    carrier_requests_per_second: float = Field(10.0, gt=0, le=1000, description="of all processes together")
    carrier_others_per_five_minutes: int = Field(
        100, ge=1, description="requests for orders, products and tickets, each, of all processes together"
    )
    carrier_local_share: float = Field(
        0.25, gt=0, le=1, description="share of the rate that one process takes while Redis is away"
    )
    carrier_api_versions: tuple[Literal["v1", "v2"], ...] = ("v2", "v1")
    carrier_breaker_failures: int = Field(5, ge=1, description="failures in a row that open the breaker")
    carrier_breaker_seconds: float = Field(15.0, gt=0, description="how long it stays open before one probe")
    carrier_default_organization: UUID | None = Field(
        None,
        description="owner of every SIM that a sync finds new; unset: SIMs belong to nobody until claimed",
    )


class UsageSettings(BaseSettings):
    """Pushes of the carrier, how long usage is kept, and what it is reckoned to cost."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    push_username: str | None = Field(None, description="HTTP Basic of the carrier's pushes; unset: none")
    push_password: Secret | None = Field(None, description="belongs to PUSH_USERNAME")
    stream_records_kept_days: int = Field(
        62, ge=7, le=366, description="days in which a pushed record that comes again is recognised"
    )
    usage_tell_seconds: float = Field(
        300, ge=1, description="streamed usage of a SIM's day is gathered so long before an event tells of it"
    )
    usage_sync_every_seconds: float = Field(
        3600, ge=0, description="the worker asks for the usage of all SIMs this often; 0 switches it off"
    )
    usage_streamed_every_seconds: float = Field(
        86_400,
        ge=0,
        description="SIMs that the streamer covers are asked for only this often; 0: as the others",
    )
    usage_parallel_calls: int = Field(4, ge=1, le=16, description="SIMs in flight during a sync of usage")
    usage_days_kept: int = Field(1830, ge=200, le=36_600, description="days for which daily usage is kept")
    usage_hours_kept: int = Field(400, ge=31, le=3660, description="days for which hourly usage is kept")
    usage_price_per_mb: Decimal | None = Field(
        None, ge=0, description="price of a megabyte, for estimates; unset: no estimate"
    )
    usage_price_per_sms: Decimal | None = Field(None, ge=0, description="price of a message, for estimates")
    usage_currency: str = Field("EUR", pattern="^[A-Z]{3}$", description="of the two prices, ISO 4217")


class CacheSettings(BaseSettings):
    """For how many seconds Redis keeps answers to reads; 0: not at all."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    cache_sim_list_seconds: float = Field(300, ge=0, le=86_400, description="lists of SIMs")
    cache_sim_seconds: float = Field(120, ge=0, le=86_400, description="one SIM")
    cache_usage_seconds: float = Field(
        600, ge=0, le=86_400, description="usage of a SIM, the age that it has when it is read included"
    )
    cache_quota_seconds: float = Field(60, ge=0, le=86_400, description="a quota, its age included")


class JobSettings(BaseSettings):
    """How jobs are worked on."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    cleanup_every_seconds: float = Field(
        86_400, ge=0, description="the worker forgets what is old this often; 0 switches it off"
    )
    jobs_kept_days: int = Field(90, ge=1, description="jobs that are over are forgotten after so long")
    idempotency_kept_hours: int = Field(
        168, ge=24, description="a request repeated with its Idempotency-Key is recognised for so long"
    )
    bulk_most_sims: int = Field(100_000, ge=1, description="SIMs that one bulk action may have")
    bulk_follow_seconds: float = Field(
        7200,
        ge=0,
        description="a bulk action that settles no SIM for so long ends; what is open stays `unknown`",
    )
    jobs_parallel: int = Field(
        4, ge=1, le=32, description="long jobs that one worker works on at a time, and as many others"
    )
    job_lease_seconds: float = Field(
        30.0, gt=0, description="a job or a change without a sign of life is taken over"
    )


class Settings(ServiceSettings, DatabaseSettings, CarrierSettings, UsageSettings, CacheSettings, JobSettings):
    """Everything that sim-service can be told."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    port: int = Field(8003, ge=1, le=65535)
    worker_port: int = Field(8103, ge=1, le=65535)
    sim_sync_every_seconds: float = Field(
        900, ge=0, description="the worker asks for a sync of all SIMs this often; 0 switches it off"
    )
    usage_fresh_seconds: float = Field(
        600, ge=0, description="usage younger than this is not asked for again"
    )
    quota_fresh_seconds: float = Field(
        60, ge=0, description="a quota younger than this is not asked for again"
    )
    event_sync_every_seconds: float = Field(
        86_400, ge=0, description="the worker asks for the events of all SIMs this often; 0 switches it off"
    )
    action_kept_days: int = Field(
        400, ge=1, description="changes of SIMs are forgotten so long after they were over"
    )
    sms_kept_days: int = Field(
        400, ge=30, description="messages that are over are forgotten after so long; the carrier keeps them 7"
    )
    event_kept_days: int = Field(400, ge=1, description="events of SIMs are forgotten after so long")
    event_fresh_seconds: float = Field(
        60, ge=0, description="a diagnosis asks for events again that are older than this"
    )
    connectivity_fresh_seconds: float = Field(
        30, ge=0, description="connectivity younger than this is not asked for again"
    )
    attached_trusted_seconds: float = Field(
        21_600, gt=0, description="a SIM that is attached without a sign of it for so long may be gone"
    )
    quota_forecast_every_seconds: float = Field(
        3600,
        ge=0,
        description="the worker asks for new forecasts of all quotas this often; 0 switches it off",
    )
    policy_every_seconds: float = Field(
        3600, ge=0, description="the worker evaluates all top-up policies this often; 0 switches it off"
    )
    extension_price: Decimal = Field(
        Decimal("11.90"),
        ge=0,
        max_digits=10,
        decimal_places=2,
        description="gross price of prolonging a SIM, expected until an order has told the real one",
    )
    order_fresh_seconds: float = Field(
        600, ge=0, description="orders that can change and are younger than this are not asked for again"
    )
    order_sync_every_seconds: float = Field(
        3600, ge=0, description="the worker asks for a sync of orders this often; 0 switches it off"
    )
    product_fresh_seconds: float = Field(
        86_400, ge=0, description="a catalogue younger than this is not asked for again"
    )
    product_sync_every_seconds: float = Field(
        86_400, ge=0, description="the worker asks for the catalogue this often; 0 switches it off"
    )
    policy_decisions_kept_days: int = Field(
        400, ge=1, description="decisions of top-up policies are forgotten after this"
    )
    sync_parallel_pages: int = Field(4, ge=1, le=16, description="pages of SIMs in flight during a sync")
    carrier_payment_method: PaymentMethod = Field(
        PaymentMethod.BANK_TRANSFER, description="how top-ups are paid where nothing else is said"
    )
    topup_price: Decimal = Field(
        Decimal("11.90"),
        ge=0,
        max_digits=10,
        decimal_places=2,
        description="gross price of a top-up, expected until an order has told the real one",
    )
    topup_currency: str = Field("EUR", pattern=r"^[A-Z]{3}$", description="currency of that price")
    topup_look_seconds: float = Field(
        2.0, gt=0, description="how often the worker looks for purchases that wait for the carrier"
    )
    topup_give_up_seconds: float = Field(
        900, ge=0, description="a lost purchase that shows no order at the carrier for so long did not happen"
    )
    action_attempts: int = Field(
        20, ge=1, le=1000, description="attempts, up to 5 minutes apart, after which a change of a SIM failed"
    )
    action_parallel: int = Field(4, ge=1, le=32, description="SIMs that one worker changes at once")
    drift_policy: Literal["report", "correct", "adopt"] = Field(
        "report",
        description="a SIM's status was changed past us: tell of it, set it back, or want it so from now on",
    )
    sms_most_parts: int = Field(10, ge=1, le=255, description="parts that one short message may have")
    sms_settled_seconds: float = Field(
        60, ge=0, description="what the carrier does not list so long after it was asked was not sent"
    )
    sms_look_every_seconds: float = Field(
        2, gt=0, description="how often the worker looks for messages to send or to ask about"
    )
    ticket_sync_every_seconds: float = Field(
        900, ge=0, description="the worker asks for the carrier's tickets this often; 0 switches it off"
    )
    ticket_settled_seconds: float = Field(
        300, ge=0, description="a ticket that is not listed so long after it was asked for was not opened"
    )
    import_read_seconds: float = Field(60.0, gt=0, description="longest time that reading a file may take")
    export_xlsx_seconds: float = Field(120.0, gt=0, description="longest time that an XLSX file may take")


@lru_cache
def get_settings() -> Settings:
    """The process's settings."""
    return Settings()
