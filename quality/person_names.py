"""What Chinese names of persons are compared by: characters, sound (pinyin) and shape (four-corner codes).

Registers are typed from speech, handwriting and memory, so one name comes with characters of the same sound, of a like
shape, in another order, or as a nickname. ``features`` tells of a name what two spellings of it would share.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

MAX_NAME = 30
"""Characters a name of a person has at most (GB/T 38962 forms give 50 to 60 bytes); longer texts are no names."""
_NOT_NAME = re.compile(r"[\s·•・.．,，'’()（）\[\]【】*＊]+")
_NICK = re.compile(r"^[小阿老大](.)$|^(.)\2$|^[小阿老大](.)\3$")
_COMPOUND = frozenset(re.findall("..", "欧阳司马上官诸葛东方皇甫尉迟公孙慕容司徒令狐夏侯长孙宇文"))
_SOUNDS = str.maketrans({"ü": "v"})
_ALIKE = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ng", "n"))
_L_FOR_N = re.compile(r"^n")
UNKNOWN_SHAPE = "?????"
KEPT_NAMES = 1 << 16
"""Names whose features are kept: a day's changes ask for most of theirs twice."""


class NameFeatures(NamedTuple):
    """A normalised name and what it is compared by; the last four are empty where it is too short or too long.

    Attributes:
        sound: toneless pinyin of each character, with zh/z, ch/c, sh/s, n/l and ng/n made one.
        shape: five digits a character (四角号码).
        letters: its characters in a fixed order, to find exchanged ones.
        surname, given: sound of the surname; characters of the given name.
        nick: the character a nickname is made of (小伟, 阿伟, 伟伟), which the full name ends with.
        without_1 …: the name with one character left open, which two names of one difference share.
    """

    name: str
    sound: str
    shape: str
    letters: str
    surname: str
    given: str
    last: str
    nick: str
    without_1: str
    without_2: str
    without_3: str
    without_4: str


def normalise_name(text: str | None) -> str:
    """A name without blanks, dots and brackets, in half width; empty when it is none."""
    if not text:
        return ""
    name = _NOT_NAME.sub("", unicodedata.normalize("NFKC", text)).upper()
    return name if 0 < len(name) <= MAX_NAME else ""


@cache
def _shapes() -> dict[str, str]:
    from four_corner_method import FourCornerMethod

    return {k: v.ljust(5, "0")[:5] for k, v in FourCornerMethod().data.items()}


@cache
def sound_of(character: str) -> str:
    """The toneless sound of a character as careless ears hear it; the character itself when it has none."""
    from pypinyin import Style, pinyin

    sound = str(pinyin(character, style=Style.NORMAL)[0][0]).translate(_SOUNDS)
    for heard, written in _ALIKE:
        sound = sound.replace(heard, written)
    return _L_FOR_N.sub("l", sound)


def shape_of(character: str) -> str:
    """The four-corner code of a character, five digits."""
    return _shapes().get(character, UNKNOWN_SHAPE)


def features(names: Iterable[str]) -> list[NameFeatures]:
    """What each normalised name is compared by."""
    return [_features(name) for name in names]


@lru_cache(KEPT_NAMES)
def _features(name: str) -> NameFeatures:
    sounds = [sound_of(c) for c in name]
    head = 2 if len(name) > 2 and name[:2] in _COMPOUND else 1
    open_ = [f"{name[:i]}_{name[i + 1 :]}" if 2 <= len(name) <= 4 and i < len(name) else "" for i in range(4)]
    nick = _NICK.match(name)
    return NameFeatures(
        name=name,
        sound="-".join(sounds),
        shape="".join(shape_of(c) for c in name[:8]),
        letters="".join(sorted(name)),
        surname="-".join(sounds[:head]),
        given=name[head:] if len(name) > head else "",
        last=sounds[-1],
        nick=sounds[-1] if nick else "",
        without_1=open_[0],
        without_2=open_[1],
        without_3=open_[2],
        without_4=open_[3],
    )
