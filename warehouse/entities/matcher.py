"""Names without a code matched to organisations of the library: exact first, then with care, else not at all.

Levels, tried in this order; the first that holds says who it is, and a level at which several organisations fit says
that nobody can tell:

===========  =====================================================================================  ==========
method       holds when                                                                             confidence
===========  =====================================================================================  ==========
exact        the spelled name is a registered name                                                  1.00
former       it is a former name, or a name another register uses under the same code               0.97
canonical    the parts are equal: 市/区 behind a place or 有限责任/有限 may differ                        0.96
core         own word, trade and branch are equal; place or legal form is missing, or was converted   0.90-0.93
similar      one slip of the pen in a long name, where organisations do not differ by a slip          0.85-0.92
===========  =====================================================================================  ==========

What makes two organisations out of two names stays apart: numbers, points of the compass, letters, the place standing
before or behind the own word, and any other own word that names of the library begin with. An own word with one other
character that sounds alike is a guess, below the threshold: of such pairs in real lists most are two firms.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from rapidfuzz.distance import OSA, Postfix, Prefix

from warehouse.entities.names import NameParts, parts

THRESHOLD = 0.9
"""Confidence from which a match counts; below it a name stays unlinked."""

Method = Literal["exact", "former", "canonical", "core", "similar"]
Kind = Literal["registered", "former", "alias", "mentioned"]

_TELLING = frozenset(
    "|0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ零一二三四五六七八九十百千万亿甲乙丙丁戊己庚辛东西南北中前后左右上下大小新老内外总分"
)
"""A slip at one of these is not taken for a slip: they number and place organisations of one family, or (``|``) divide
a name from its branch."""
_SUCCESSIONS = ({"公司", "有限公司"}, {"总公司", "有限公司"}, {"公司", "总公司"}, {"有限公司", "股份有限公司"})
"""Legal forms of one organisation before and after it was converted; it keeps its code."""
_NATIONAL = frozenset("中国")
_SOUNDS_ALIKE = 0.85
"""Confidence of a guess by the sound of one character."""
_SHORT_CORE = 4
_SIMILAR_CORE = 6
_LONG_WORD = 4


class KnownName(NamedTuple):
    """One name of one organisation.

    ``kind``: its registered name now, a former one, another register's, or one mentioned beside its code.
    """

    uscc: str
    name: str
    kind: Kind = "registered"


class Match(NamedTuple):
    """Who a name belongs to. ``entity_name`` is the organisation's registered name."""

    uscc: str
    entity_name: str
    confidence: float
    method: Method


class EntityMatcher:
    """An index over the names of the library; matching reads it only, so that threads may share it.

    Args:
        known: names of organisations; an organisation without a ``registered`` one is called by its first that is not
            only ``mentioned``.
        threshold: least confidence of a match that is given.
    """

    def __init__(self, known: Iterable[KnownName], *, threshold: float = THRESHOLD) -> None:
        names = list(known)
        self.threshold = threshold
        self._called: dict[str, str] = {}
        for n in sorted(names, key=lambda n: n.kind == "mentioned"):
            if n.kind == "registered" or n.uscc not in self._called:
                self._called[n.uscc] = n.name
        self._exact: dict[str, str | None] = {}
        self._former: dict[str, str | None] = {}
        self._canonical: dict[str, str | None] = {}
        self._core: defaultdict[str, list[KnownName]] = defaultdict(list)
        read = parts([n.name for n in names])
        self._parts = {n.name: one for n, one in zip(names, read, strict=True)}
        for n, one in zip(names, read, strict=True):
            if one.full:
                _put(self._exact if n.kind == "registered" else self._former, one.full, n.uscc)
                _put(self._canonical, one.canonical, n.uscc)
                self._core[f"{one.core}|{one.branch}"].append(n)
        self._size = len(names)
        cores = [key.partition("|")[0] for key in self._core]
        endings = Counter(core[i:] for core in cores for i in range(1, len(core)))
        least = max(5, self._size // 5000)
        self._trades = frozenset(e for e, n in endings.items() if n >= least)
        self._words = frozenset(map(self._own_word, cores))
        self._like = _LONG_WORD if threshold > _SOUNDS_ALIKE else 0  # by what is sure, firms begin alike
        long = [key for key, core in zip(self._core, cores, strict=True) if len(core) >= _SIMILAR_CORE]
        self._near = _Near(long, self._like)

    def __len__(self) -> int:
        """Names in the index."""
        return self._size

    def match(self, names: Sequence[str | None]) -> list[Match | None]:
        """Who each name belongs to; None when nobody, or when it cannot be told with the threshold's confidence."""
        asked = dict.fromkeys(names)
        written = [name for name in asked if name not in self._parts]  # most are as the library writes them
        apart = dict(zip(written, parts(written), strict=True))
        found = {name: self._one(apart[name] if name in apart else self._parts[name or ""]) for name in asked}
        return [found[name] for name in names]

    # --- one name -----------------------------------------------------------------------------------------------

    def _one(self, q: NameParts) -> Match | None:
        if not q.full:
            return None
        if q.full in self._exact:
            return self._made(self._exact[q.full], 1.0, "exact")
        if q.full in self._former:
            return self._made(self._former[q.full], 0.97, "former")
        if (canonical := q.canonical) in self._canonical:
            return self._made(self._canonical[canonical], 0.96, "canonical")
        key = f"{q.core}|{q.branch}"
        if key in self._core:
            return self._by_core(q, self._core[key])
        return self._by_likeness(q, key)

    def _made(self, uscc: str | None, confidence: float, method: Method) -> Match | None:
        if uscc is None or confidence < self.threshold:
            return None
        return Match(uscc, self._called[uscc], round(confidence, 2), method)

    def _by_core(self, q: NameParts, there: list[KnownName]) -> Match | None:
        """The one organisation whose own word, trade and branch these are."""
        if len({n.uscc for n in there}) != 1:
            return None
        confidence = max(_likeness_of_rest(q, self._parts[n.name]) for n in there)
        return self._made(there[0].uscc, confidence, "core")

    def _by_likeness(self, q: NameParts, key: str) -> Match | None:
        """The one organisation whose name differs by one slip: a character left out, added, exchanged or swapped."""
        if len(q.core) < _SIMILAR_CORE:
            return None
        alike = self._like
        if not alike and self._own_word(q.core) in self._words:
            # a firm goes by this word: another's name may differ in the trade only, and what begins otherwise is none
            alike = _LONG_WORD
        shorter, beginning = _one_less(key, alike), key[:alike]
        near = self._near.to([key, *shorter])
        near.update(gone for gone in shorter if gone in self._core)
        best: tuple[float, str] | None = None
        for other in near:
            if not other.startswith(beginning):
                continue
            slip = self._slip(key, other)
            if slip < self.threshold:
                continue
            for n in self._core[other]:
                one, uscc = self._parts[n.name], n.uscc
                if not q.form and not one.form and q.core[-2:] != one.core[-2:]:
                    continue  # without a legal form the end says what it is: 协会 and 商会 are two
                confidence = min(slip, _likeness_of_rest(q, one, similar=True))
                if confidence >= self.threshold and best is not None and best[1] != uscc:
                    return None
                if confidence >= self.threshold:
                    best = (max(confidence, best[0]) if best else confidence, uscc)
        return self._made(best[1], best[0], "similar") if best else None

    def _slip(self, a: str, b: str) -> float:
        """Confidence that ``a`` is a slip of the pen for the library's ``b``; 0 when what differs tells firms apart."""
        if OSA.distance(a, b, score_cutoff=1) > 1:
            return 0.0
        start, end_a, end_b = _difference(a, b)
        was, now = a[start:end_a], b[start:end_b]
        core_a, core_b = a.partition("|")[0], b.partition("|")[0]
        if not _TELLING.isdisjoint(was + now) or start >= min(len(core_a), len(core_b)):
            return 0.0
        word_a, word_b = self._own_word(core_a), self._own_word(core_b)
        if start >= max(len(word_b), _LONG_WORD) and len(word_b) < len(core_b):
            # the slip is in the trade: what many other names end in is no slip
            ends = {core_a[i:] for i in range(len(word_b), start + 1)}
            return 0.0 if ends & self._trades else 0.92
        if word_a in self._words:
            return 0.0
        if self._like:  # no need to know how they sound
            return 0.0
        if len(was) == len(now) == 1 and min(len(word_a), len(word_b)) >= _LONG_WORD and _sound_alike(was, now):
            return _SOUNDS_ALIKE
        return 0.0

    def _own_word(self, core: str) -> str:
        """A core without the longest ending that many names of the library share: what the firm calls itself."""
        for i in range(2, len(core)):
            if core[i:] in self._trades:
                return core[:i]
        return core


def _likeness_of_rest(q: NameParts, one: NameParts, *, similar: bool = False) -> float:
    """Confidence by place and legal form when the cores are the same, or nearly."""
    if q.place and one.place and q.place != one.place:
        return 0.5  # 北京甲科技 and 甲（北京）科技 are as a rule two firms
    one_placed = q.place != one.place
    if one_placed and len(q.core) < _SHORT_CORE:
        return 0.7
    short = not q.form or not one.form
    if one_placed and not short and (q.form != one.form or q.core[0] in _NATIONAL):
        return 0.8  # a name with its form and without a place is registered nationwide, and another firm's
    if q.form != one.form and not short and {q.form, one.form} not in _SUCCESSIONS:
        return 0.6  # 甲集团公司 founds 甲集团股份有限公司 and goes on itself
    slips = similar + one_placed + short
    return 0.93 - 0.01 * slips - 0.005 * (q.form != one.form)


def _put(index: dict[str, str | None], key: str, uscc: str) -> None:
    """Remember whose a key is; None when it is more than one organisation's."""
    if index.setdefault(key, uscc) != uscc:
        index[key] = None


class _Near:
    """Keys by the hash of what is left of each when one of its characters is dropped: an array, as there are many.

    Args:
        alike: so many characters at their beginning are not dropped; each key is longer.
    """

    def __init__(self, keys: list[str], alike: int) -> None:
        self._keys = keys
        hashes = np.fromiter((hash(gone) for key in keys for gone in _one_less(key, alike)), np.int64)
        order = np.argsort(hashes)
        self._hashes = hashes[order]
        self._of = np.repeat(np.arange(len(keys)), [len(key) - alike for key in keys])[order]

    def to(self, forms: list[str]) -> set[str]:
        """The keys of which one of ``forms`` is left, and a few that only share a hash."""
        asked = np.fromiter(map(hash, forms), np.int64)
        first, last = self._hashes.searchsorted(asked), self._hashes.searchsorted(asked, "right")
        there = (self._of[i] for a, b in zip(first.tolist(), last.tolist(), strict=True) for i in range(a, b))
        return {self._keys[i] for i in there}


def _one_less(text: str, alike: int) -> list[str]:
    """``text`` without each one of its characters behind the first ``alike``."""
    return [text[:i] + text[i + 1 :] for i in range(alike, len(text))]


def _difference(a: str, b: str) -> tuple[int, int, int]:
    """Where two texts begin to differ, and where that ends in each."""
    start = Prefix.similarity(a, b)
    same = min(Postfix.similarity(a, b), len(a) - start, len(b) - start)
    return start, len(a) - same, len(b) - same


@lru_cache(maxsize=20_000)
def _sounds(character: str) -> frozenset[str]:
    from pypinyin import Style, pinyin

    return frozenset(pinyin(character, style=Style.NORMAL, heteronym=True)[0])


def _sound_alike(a: str, b: str) -> bool:
    return bool(_sounds(a) & _sounds(b))
