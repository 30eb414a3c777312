"""BIP 173, BIP 350 and Bitcoin Core's lists of addresses and base58 strings."""

from support.vector_verdicts_keys import bip173_350, core_base58, core_key_io_invalid, core_key_io_valid


def test_segwit_addresses() -> None:
    assert bip173_350() == {"accepted": 25, "refused_unsupported": 0, "refused_invalid": 54, "wrong": 0}


def test_core_addresses_and_wif_keys() -> None:
    assert core_key_io_valid() == {"accepted": 54, "refused_unsupported": 16, "refused_invalid": 0, "wrong": 0}


def test_core_strings_that_are_no_addresses() -> None:
    assert core_key_io_invalid() == {"accepted": 0, "refused_unsupported": 0, "refused_invalid": 70, "wrong": 0}


def test_core_base58() -> None:
    assert core_base58() == {"accepted": 14, "refused_unsupported": 0, "refused_invalid": 0, "wrong": 0}
