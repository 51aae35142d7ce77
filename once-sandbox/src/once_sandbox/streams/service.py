"""Handing records to the pushes."""

from once_sandbox.errors import ApiError
from once_sandbox.sandbox import Sandbox
from once_sandbox.streams.models import Delivery, Stream
from once_sandbox.streams.schemas import ForwarderConfig, StreamConfig

MOST_WAITING = 500_000


def add_stream(sandbox: Sandbox, config: StreamConfig) -> Stream:
    """A new stream, running; it gets what happens from now on."""
    pushes = sandbox.pushes
    pushes.added += 1
    stream = pushes.streams[pushes.added] = Stream(pushes.added, config)
    listen(sandbox)
    return stream


def find_stream(sandbox: Sandbox, number: int) -> Stream:
    """A stream; raises ApiError 404."""
    stream = sandbox.pushes.streams.get(number)
    if stream is None:
        raise ApiError(404, f"stream {number} not found")
    return stream


def set_forwarder(sandbox: Sandbox, config: ForwarderConfig | None) -> None:
    """Switch the SMS Forwarder on or off."""
    sandbox.pushes.forwarder = config
    if config is None:
        sandbox.pushes.deliveries.clear()
    listen(sandbox)


def listen(sandbox: Sandbox) -> None:
    """Have the world make the records that somebody wants, and only those."""
    pushes, listening = sandbox.pushes, sandbox.world.listening
    listening.clear()
    for stream in pushes.streams.values():
        listening.add(stream.config.topic)
    if pushes.forwarder is not None:
        listening.update(("sms_received", "sms_report"))


def distribute(sandbox: Sandbox) -> None:
    """Give what the world told to every push that wants it."""
    pushes, told = sandbox.pushes, sandbox.world.untold[:]
    sandbox.world.untold.clear()
    now = sandbox.world.clock.now()
    for topic, record in told:
        for stream in pushes.streams.values():
            if topic == stream.config.topic and len(stream.queue) < MOST_WAITING:
                stream.queue.append(record)
        if topic == "sms_received" and pushes.forwarder is not None:
            pushes.deliveries.append(Delivery("POST", record, now))
        elif topic == "sms_report" and pushes.forwarder is not None and pushes.forwarder.reports:
            pushes.deliveries.append(Delivery("PATCH", record, now))
