"""Generated addresses, one in ten disturbed: at least 98 % find their own door, at most 0.5 % another."""

from __future__ import annotations

import random

from bench.bench_address import district, disturb, quality, writings


def test_disturbed_writings_find_their_own_door() -> None:
    exact, false = quality(6000, 8000)
    assert exact >= 0.98
    assert false <= 0.005


def test_a_tenth_is_disturbed_and_flats_change_nothing() -> None:
    matcher, standards = district(3000)
    asked = writings(standards, 2000, seed=5)
    plain = sum(text.startswith(s.standard_address) for text, s in asked)
    assert 0.86 <= plain / len(asked) <= 0.95
    door = next(s for s in standards if s.house_number.endswith("楼") and matcher.match(s.standard_address).address_id)
    flats = [door.standard_address + flat for flat in ("", "3单元502室", "2门301号")]
    assert len({m.address_id for m in matcher.match_many(flats)}) == 1
    assert disturb(door.standard_address, door.name, random.Random(1)) is not None
