"""The visited networks of the sandbox's world."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operator:
    """A mobile network and its country; `prefix` is the country's telephone prefix."""

    id: int
    name: str
    mcc: str
    mnc: str
    country_id: int
    country: str
    iso_code: str
    prefix: str
    latitude: str
    longitude: str


OPERATORS = (
    Operator(2, "T-Mobile", "262", "01", 74, "Germany", "de", "49", "51", "9"),
    Operator(4, "Vodafone", "262", "02", 74, "Germany", "de", "49", "51", "9"),
    Operator(7, "Telefonica", "262", "03", 74, "Germany", "de", "49", "51", "9"),
    Operator(31, "A1", "232", "01", 12, "Austria", "at", "43", "47.33", "13.33"),
    Operator(45, "Orange", "208", "01", 68, "France", "fr", "33", "46", "2"),
    Operator(63, "Swisscom", "228", "01", 191, "Switzerland", "ch", "41", "47", "8"),
    Operator(118, "KPN", "204", "08", 137, "Netherlands", "nl", "31", "52.5", "5.75"),
    Operator(826, "AT&T", "310", "410", 205, "United States", "us", "1", "38", "-97"),
)

RATS = (("2", "2G"), ("1", "3G"), ("6", "4G"), ("8", "NB-IoT"))
"""Radio access technologies: 1NCE's id and name."""

OLD_RATS = {0, 1}
"""Places in RATS of 2G and 3G, where connectivity_info has something to say."""


def operator_named(name: str) -> int:
    """The place of an operator by its name or by MCC and MNC together; raises KeyError."""
    for place, operator in enumerate(OPERATORS):
        if name.lower() in {operator.name.lower(), f"{operator.mcc}{operator.mnc}"}:
            return place
    raise KeyError(name)
