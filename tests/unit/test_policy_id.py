"""The id of a wallet policy, against HWI's own client for Ledger and against a changed policy."""

import pytest

from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput
from custody.ports import Registration
from custody.vault.policy_id import policy_id
from custody_hardware.hwi_requests import checked_policy, own_policy_id, require_registration
from support.hwi_bench import require_hwi
from support.review_cases import simulated_vault

TOKEN = bytes(range(32))


@pytest.mark.parametrize("count", [*range(1, 17), 33, 100, 252])
def test_the_id_is_the_one_that_hwi_computes(count: int) -> None:
    require_hwi()
    from hwilib.devices.ledger_bitcoin.wallet import WalletPolicy

    keys = [f"[{number:08x}/48'/1'/0'/2']tpub{number}" for number in range(count)]
    template = f"wsh(sortedmulti(1,{','.join(f'@{number}/**' for number in range(count))}))"
    assert policy_id("cold reserve", template, keys) == WalletPolicy("cold reserve", template, keys).id


@pytest.mark.parametrize("name", ["", "x" * 65, "geld für später", "two\nlines"])
def test_a_name_that_no_ledger_keeps_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        policy_id(name, "wsh(sortedmulti(1,@0/**))", ["[00000001/48'/1'/0'/2']tpub"])
    assert caught.value.code is Code.NAME_INVALID


def test_a77_a_registration_of_another_policy_is_refused() -> None:
    vault, other = simulated_vault(2, 3), simulated_vault(3, 3)
    kept = Registration("policy", "reserve", own_policy_id(vault, "reserve").hex(), TOKEN)
    assert require_registration("ledger", vault, kept, shows=False) == kept
    for wrong in (
        Registration("policy", "reserve", own_policy_id(other, "reserve").hex(), TOKEN),
        Registration("policy", "another name", own_policy_id(vault, "reserve").hex(), TOKEN),
        Registration("policy", "reserve", None, TOKEN),
        Registration("policy", "reserve", own_policy_id(vault, "reserve").hex(), TOKEN[:31]),
        Registration("policy", "reserve", own_policy_id(vault, "reserve").hex(), None),
    ):
        with pytest.raises(CheckFailed) as caught:
            require_registration("ledger", vault, wrong, shows=False)
        assert caught.value.code is Code.POLICY_HMAC_UNKNOWN


@pytest.mark.parametrize("token", [None, b"", bytes(32), TOKEN[:31]])
def test_a_token_that_is_none_is_not_kept(token: bytes | None) -> None:
    vault = simulated_vault()
    with pytest.raises(CheckFailed) as caught:
        checked_policy(vault, "reserve", own_policy_id(vault, "reserve"), token)
    assert caught.value.code is Code.POLICY_HMAC_UNKNOWN
    assert checked_policy(vault, "reserve", own_policy_id(vault, "reserve"), TOKEN).token == TOKEN
