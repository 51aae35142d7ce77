"""The numbers printed on a SIM and burnt into it, all made from its place in the series."""

ICCID_LENGTH = 19
FIRST_ICCID = 8_988_280_666_000_000_000
_TACS = ("86376047", "35265107", "86995103", "35145120", "86821504")
_FIRST_ADDRESS = (10 << 24) + (192 << 16)


def luhn_digit(digits: str) -> int:
    """The check digit that belongs behind `digits` (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 - place % 2)
        total += value - 9 if value > 9 else value
    return -total % 10


def iccid(index: int) -> str:
    """19 digits, without the check digit."""
    return str(FIRST_ICCID + index)


def imsi(index: int) -> str:
    """The first IMSI."""
    return str(901_405_100_000_000 + index)


def second_imsi(index: int) -> str:
    """The IMSI used in China."""
    return str(460_075_100_000_000 + index)


def msisdn(index: int) -> str:
    """The SIM's telephone number."""
    return str(882_285_100_000_000 + index)


def imeisv(index: int) -> str:
    """16 digits: 14 of the IMEI, 2 of the software version."""
    return f"{_TACS[index % len(_TACS)]}{index % 1_000_000:06d}{index % 7:02d}"


def ip_address(index: int) -> str:
    """The SIM's fixed private address."""
    number = _FIRST_ADDRESS + index + 1
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def endpoint_id(index: int) -> int:
    """1NCE's id of the endpoint that holds the SIM."""
    return 10_000_000 + index


def sim_id(index: int) -> int:
    """1NCE's own id of the SIM."""
    return 900_000 + index


def imsi_id(index: int) -> int:
    """1NCE's own id of the IMSI."""
    return 1_610_000 + index
