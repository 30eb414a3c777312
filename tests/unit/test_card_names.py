"""Names of files on a card: a small screen shows them, FAT keeps them, devices offer them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.spend.card import (
    MAX_STEM,
    bundle_name,
    checksums_file,
    filled,
    page_name,
    psbt_name,
    rehearsal_name,
    stem_of,
)

IDS = st.text("0123456789abcdef", min_size=64, max_size=64)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True)


@given(proposal_id=IDS, names=st.lists(NAMES, min_size=1, max_size=15, unique=True))
def test_names_are_short_plain_and_differ_in_what_a_small_screen_shows(proposal_id: str, names: list[str]) -> None:
    stems = [stem_of(proposal_id, number, name) for number, name in enumerate(names, 1)]
    for stem in stems:
        sums = checksums_file(stem, "ann", ())
        for name in (psbt_name(stem), bundle_name(stem), page_name(stem), sums.name):
            base, _, ending = name.rpartition(".")
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", base), name
            assert len(base) <= MAX_STEM
            assert ending in ("psbt", "bundle", "txt")
    assert len({stem[:12] for stem in stems}) == len(stems)


def test_a_name_never_looks_like_a_device_s_answer() -> None:
    for name in ("co-signed", "part-time", "x-final", "designed"):
        assert stem_of("7087ca67" * 8, 3, name) == "7087ca67-3"
    assert stem_of("7087ca67" * 8, 3, "auditor_general") == "7087ca67-3-auditor-gene"
    assert stem_of("7087ca67" * 8, 15, "-") == "7087ca67-15"
    assert rehearsal_name(1, 3, "co-signed") == "rehearsal-1-3.psbt"
    assert rehearsal_name(12, 3, "auditor_general") == "rehearsal-12-auditor-gene.psbt"


@pytest.mark.parametrize("text", ["{0}", "{file.__class__}", "{other}", "{stem:>9999999999}", "{", "}", "{}"])
def test_braces_of_a_profile_that_a_backup_brought_are_letters(text: str) -> None:
    assert filled(f"take {{file}} {text}", file="a.psbt", stem="a") == f"take a.psbt {text}"
