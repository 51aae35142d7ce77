"""JSON logs, one object a line, with the request id and without secrets."""

import logging
import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

from fleet_kit.request_id import current_request_id

_SECRET_NAMES = re.compile(r"password|secret|token|authorization|api_?key|^key$|cookie", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(\b\w+://[^:/@\s]+:)[^@\s]+@")
_WORD, _PATH = re.compile(r"\S+"), re.compile(r"""[^\s"']+""")

Event = MutableMapping[str, Any]


def _add_request_id(_: Any, __: str, event: Event) -> Event:
    if (request_id := current_request_id()) is not None:
        event.setdefault("request_id", request_id)
    return event


def redact(_: Any, __: str, event: Event) -> Event:
    """Blank what must never be logged: values of telling names, passwords and queries inside URLs."""
    for name, value in event.items():
        if _SECRET_NAMES.search(name):
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = _PATH.sub(_without_query, _WORD.sub(_without_password, value))
    return event


# Word by word, and only where the end of what is looked for exists: an expression for the whole text begins
# anew at every slash, and takes a second for ten thousand of them.
def _without_password(word: re.Match[str]) -> str:
    end = word[0].rfind("@") + 1
    return _URL_PASSWORD.sub(r"\1***@", word[0][:end]) + word[0][end:]


def _without_query(path: re.Match[str]) -> str:
    text = path[0]
    slash = text.find("/")
    mark = text.find("?", slash) + 1 if slash >= 0 else 0
    return f"{text[:mark]}***" if 0 < mark < len(text) else text


def _is_news(record: logging.LogRecord) -> bool:
    """Not that the driver found no broker: it also raises that, and whoever asked says what comes of it.

    While a fleet starts, its broker is the last to be there.
    """
    return not str(record.msg).startswith("error when creating transport")


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send structlog and the standard library's loggers through the same JSON renderer to stdout."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.format_exc_info,
        redact,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            lambda _, __, event: {"service": service, **event},
            redact,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for noisy in ("aio_pika", "aiormq", "httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("aiormq.connection").addFilter(_is_news)
    # At DEBUG it logs every WebSocket frame, and with it the tokens.
    logging.getLogger("uvicorn.error").setLevel(max(logging.INFO, logging.getLevelName(level)))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        cache_logger_on_first_use=True,
    )
