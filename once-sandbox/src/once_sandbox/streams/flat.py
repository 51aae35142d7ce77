"""The flat form in which newer streams deliver the same records."""

from once_sandbox.wire import Json


def flat(record: Json) -> Json:
    """A record without nesting: `sim.iccid` becomes `sim_iccid`; `detail` stays as it is."""
    result: Json = {}
    for name, value in record.items():
        if isinstance(value, dict) and name != "detail":
            for inner, inside in flat(value).items():
                result["imsi" if (name, inner) == ("imsi", "imsi") else f"{name}_{inner}"] = inside
        else:
            result[name] = value
    return result
