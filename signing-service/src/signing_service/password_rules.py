"""What a new password must not be. Passwords chosen earlier still log in."""

from collections.abc import Iterable
from math import prod

from zxcvbn import zxcvbn

from fleet_kit.errors import Unprocessable, invalid

GUESSES = 1_000_000
"""A password that is found within so many guesses is refused: no limit on logins holds them off for long.

The estimate knows 30,000 common passwords, names, words, keyboards and dates, also when spelled l1k3 this.
"""
ESTIMATED_CHARACTERS = 72
"""So many are looked at, which takes up to 0.1 s; who writes more is safe or repeats something."""
VARIANTS = 16
"""Spellings of one password that the estimate tries; with more it would take seconds (20 were measured)."""
ALIKE = {"a": "4@", "c": "({[<", "g": "69", "i": "1!|", "l": "1|7", "s": "$5", "t": "+7"}
"""Characters that the estimate takes for the same letter, where it knows several."""
SPELLING = str.maketrans("@{[<9!|$+", "4(((61157")
NAMED_CHARACTERS = 4
"""Shorter names are parts of many words; the estimate deals with them."""
OTHER_CHARACTERS = 16
"""With so many beside it, a name in a password does no harm."""


def refuse_guessable(password: str, names: Iterable[str]) -> None:
    """Raise Unprocessable for a common password, or one made of a name that belongs to its user.

    It calculates for a while: call it off the event loop.
    """
    if any(_is_made_of(password, name) for name in names):
        raise _refused("must not be made of the e-mail address or the organisation's name")
    if zxcvbn(estimated(password))["guesses"] < GUESSES:
        raise _refused("is easy to guess; take a longer one of words that nobody expects")


def estimated(password: str) -> str:
    """What of the password is looked at: its beginning, in one spelling where it has too many."""
    beginning = password[:ESTIMATED_CHARACTERS]
    variants = prod(max(1, len(set(characters) & set(beginning))) for characters in ALIKE.values())
    return beginning.translate(SPELLING) if variants > VARIANTS else beginning


def _is_made_of(password: str, name: str) -> bool:
    """Compared by letters and digits, so that `Pumps Ltd` is found in `pumps-ltd-2026`."""
    letters, wanted = _letters(password), _letters(name)
    if len(wanted) < NAMED_CHARACTERS or wanted not in letters:
        return False
    return len(password) - len(wanted) * letters.count(wanted) < OTHER_CHARACTERS


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _refused(message: str) -> Unprocessable:
    return invalid("password", message, code="PASSWORD_TOO_WEAK")
