"""BIP 67: the order of keys, the script and the address that follow from it."""

from support.vector_verdicts_keys import bip67


def test_every_vector_gives_order_script_and_address() -> None:
    assert bip67() == {"accepted": 4, "refused_unsupported": 0, "refused_invalid": 0, "wrong": 0}
