"""Splitting messages: what fits, where it is cut, and what is refused."""

import pytest

from fleet_kit.errors import Unprocessable
from sim_service.carrier.models import SmsCoding
from sim_service.messages.sms.concatenation import concat_header, concat_info
from sim_service.messages.sms.segments import Segment, coding_of, split

TEXT, UCS2, BINARY = SmsCoding.TEXT, SmsCoding.UCS2, SmsCoding.BINARY


def parts(payload: str, coding: SmsCoding, most: int = 10) -> list[str]:
    segments = split(payload, coding, reference=7, most_parts=most)
    assert "".join(segment.payload for segment in segments) == payload
    return [segment.payload for segment in segments]


@pytest.mark.parametrize(
    ("payload", "coding", "lengths"),
    [
        ("a" * 160, TEXT, [160]),
        ("a" * 161, TEXT, [153, 8]),
        ("a" * 306, TEXT, [153, 153]),
        ("a" * 307, TEXT, [153, 153, 1]),
        ("€" * 80, TEXT, [80]),
        ("€" * 81, TEXT, [76, 5]),
        ("ж" * 70, UCS2, [70]),
        ("ж" * 71, UCS2, [67, 4]),
        ("AB" * 140, BINARY, [280]),
        ("AB" * 141, BINARY, [268, 14]),
    ],
)
def test_a_message_is_cut_where_one_short_message_ends(
    payload: str, coding: SmsCoding, lengths: list[int]
) -> None:
    assert [len(part) for part in parts(payload, coding)] == lengths


def test_an_escaped_character_and_a_surrogate_pair_are_never_cut_in_two() -> None:
    assert [len(part) for part in parts("a" * 152 + "€" + "b" * 10, TEXT)] == [152, 11]
    assert [len(part) for part in parts("ж" * 66 + "🚜" + "ж" * 10, UCS2)] == [66, 11]


def test_parts_carry_their_place_and_one_reference() -> None:
    assert split("a" * 170, TEXT, reference=200, most_parts=3) == [
        Segment("a" * 153, "050003C80201"),
        Segment("a" * 17, "050003C80202"),
    ]
    assert split("short", TEXT, reference=200, most_parts=3) == [Segment("short")]


@pytest.mark.parametrize(
    ("payload", "coding", "most", "said"),
    [("a" * 307, TEXT, 2, "306"), ("ж" * 71, UCS2, 1, "70"), ("00" * 135 * 3, BINARY, 3, "402")],
)
def test_too_long_a_message_is_told_how_long_it_may_be(
    payload: str, coding: SmsCoding, most: int, said: str
) -> None:
    with pytest.raises(Unprocessable) as refused:
        split(payload, coding, reference=1, most_parts=most)
    assert refused.value.code == "SMS_TOO_LONG"
    assert f"at most {said} " in refused.value.message


def test_the_coding_follows_the_text_unless_it_is_said() -> None:
    assert coding_of("Grüße {€}\n", None) is TEXT
    assert coding_of("Привет", None) is UCS2
    assert coding_of("plain", UCS2) is UCS2
    with pytest.raises(Unprocessable) as refused:
        coding_of("pÿthön “ж\x1b", TEXT)
    assert refused.value.code == "SMS_CHARACTERS_UNKNOWN"
    assert "'ÿ' '“' 'ж' '\\x1b'" in refused.value.message


@pytest.mark.parametrize("reference", [0, 9, 255, 256, 65_535])
def test_a_header_says_the_same_when_read(reference: int) -> None:
    place = concat_info(concat_header(reference, 5, 3))
    assert place is not None
    assert (place.reference, place.total, place.number) == (reference, 5, 3)


@pytest.mark.parametrize("udh", ["", "zz", "05", "0500030102", "050003010203", "06050415820000", "05000301"])
def test_other_headers_are_no_place(udh: str) -> None:
    assert concat_info(udh) is None


def test_a_place_behind_another_element_is_found() -> None:
    place = concat_info("0B0504158200000003AA0201")
    assert place is not None
    assert (place.reference, place.total, place.number) == (0xAA, 2, 1)
