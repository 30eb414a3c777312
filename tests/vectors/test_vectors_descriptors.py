"""BIP 380 to 390 and Bitcoin Core's descriptor tests: nothing invalid passes, nothing valid is called invalid.

No published file prints scripts for a vault's own kind of descriptor (two branches, origins),
so the scripts of the other kinds are derived with the same pieces and compared as well.
"""

from support.vector_verdicts_keys import (
    bip380,
    bip381_390,
    core_descriptor_multipath_musig,
    core_descriptor_tests,
    foreign_scripts,
)


def test_bip380_checksums_and_key_expressions() -> None:
    assert bip380() == {"accepted": 0, "refused_unsupported": 23, "refused_invalid": 22, "wrong": 0}


def test_bip381_to_390_descriptors() -> None:
    assert bip381_390() == {"accepted": 0, "refused_unsupported": 70, "refused_invalid": 61, "wrong": 0}


def test_core_descriptors() -> None:
    assert core_descriptor_tests() == {"accepted": 0, "refused_unsupported": 122, "refused_invalid": 96, "wrong": 0}


def test_core_multipath_and_musig_descriptors() -> None:
    verdicts = core_descriptor_multipath_musig()
    assert verdicts == {"accepted": 0, "refused_unsupported": 15, "refused_invalid": 64, "wrong": 0}


def test_scripts_of_other_kinds_built_from_the_same_pieces() -> None:
    verdicts = foreign_scripts()
    assert verdicts["wrong"] == 0
    assert verdicts["accepted"] == 43
