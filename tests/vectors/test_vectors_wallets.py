"""Every published wallet file of Caravan, Coldcard, Electrum and Sparrow, and BIP 388's policies: the right verdict."""

import pytest

from support.vector_verdicts_wallets import CHECKS

RIGHT = {
    "bip388_wallet_policies.json": (1, 8, 9),
    "caravan_wallet_exports.json": (12, 6, 0),
    "coldcard_multisig_exports.json": (11, 8, 1),
    "electrum_multisig_wallets.json": (0, 10, 0),
    "sparrow_exports.json": (7, 20, 2),
    "sparrow_bsms.json": (5, 3, 11),
}
"""Accepted, not built, invalid."""


@pytest.mark.parametrize("name", CHECKS)
def test_every_sample_gets_its_verdict(name: str) -> None:
    accepted, unsupported, invalid = RIGHT[name]
    assert CHECKS[name]() == {
        "accepted": accepted,
        "refused_unsupported": unsupported,
        "refused_invalid": invalid,
        "wrong": 0,
    }
