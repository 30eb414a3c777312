"""What a person sees: one screen, plain ASCII, the verdict at the end."""

from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.psbt import Psbt, PsbtOutput
from custody.vault.vault import Vault
from support.cli import Result, run
from support.review_cases import (
    BTC,
    OTHER_PAYEE,
    PAYEE,
    own_input,
    own_output,
    payment,
    sign,
    simulated_vault,
    with_change,
    with_coin,
    write_files,
)

VAULT = simulated_vault(3, 5)


def _screen(folder: Path, psbt: Psbt, vault: Vault = VAULT) -> Result:
    psbt_path, vault_path = write_files(folder, psbt, vault)
    return run(["psbt", "review", psbt_path, "--vault-file", vault_path])


def _lines(result: Result) -> list[str]:
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout
    return result.stdout.splitlines()


@pytest.mark.parametrize("psbt", [payment(VAULT), sign(payment(VAULT), VAULT, 2)], ids=["unsigned", "signed"])
def test_a_normal_payment_fits_one_screen(tmp_path: Path, psbt: Psbt) -> None:
    lines = _lines(_screen(tmp_path, replace(psbt, fallback_locktime=900_000)))
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[-1].strip() or lines[-2].startswith("VERDICT")


def test_it_says_who_gets_what_and_what_comes_back(tmp_path: Path) -> None:
    text = _screen(tmp_path, sign(payment(VAULT), VAULT, 1)).stdout
    pays = text.index("PAYS")
    assert pays < text.index("CHANGE") < text.index("FEE") < text.index("SIGNED") < text.index("VERDICT CLEAN")
    assert "0.40000000 BTC" in text and "40000000 sat output 0" in text
    assert "bcrt 1qsy 0kj8 64st xjgk x774 n4wk 3sue" in text and "p6cf 0tx3 d777" in text
    assert "59996000 sat change 4" in text
    assert "4000 sat = 17.777 sat/vB = 0.01 %" in text
    assert "1 of 3 needed (ann); 2 more from bo, cy, dot, eve" in text
    assert "UTXO_UNVERIFIED" in text


def test_a_nested_vault_and_large_amounts_stay_within_80_columns(tmp_path: Path) -> None:
    vault = simulated_vault(2, 3, ScriptType.SH_WSH_SORTEDMULTI)
    coin = 20_000_000 * BTC
    psbt = Psbt(
        0,
        2,
        0,
        (own_input(vault, 0, 2**31 - 1, coin),),
        (PsbtOutput(Sats(19_999_999 * BTC), PAYEE), own_output(vault, 1, 2**31 - 1, BTC - 10_000)),
        payment(vault).global_xpubs,
    )
    lines = _lines(_screen(tmp_path, psbt, vault))
    assert max(map(len, lines)) <= 80
    assert any("change 2147483647" in line for line in lines)


def test_refusals_come_first_and_the_verdict_is_last(tmp_path: Path) -> None:
    stolen = with_change(payment(VAULT), script_pubkey=OTHER_PAYEE)
    result = _screen(tmp_path, with_coin(stolen, stated_sequence=0xFFFFFFFE))
    lines = _lines(result)
    assert result.exit_code == 3
    order = [line.split()[0] for line in lines if line[:6] in ("REFUSE", "WARN  ", "note  ")]
    assert order == ["REFUSE", "WARN", "note"]
    assert lines[-1] == "VERDICT REFUSED. 1 check failed. Do not sign; raise the alarm."
    assert lines.count("") == 3


def test_many_findings_of_one_kind_are_counted(tmp_path: Path) -> None:
    psbt = payment(VAULT, coins=12)
    for number in range(12):
        psbt = with_coin(psbt, number, non_witness_utxo=None)
    lines = _lines(_screen(tmp_path, psbt))
    assert any("and 9 more like this" in line for line in lines)
    assert any("unknown" in line and "FEE" in line for line in lines)


def test_the_warned_verdict_counts_its_warnings(tmp_path: Path) -> None:
    result = _screen(tmp_path, with_coin(payment(VAULT), stated_sequence=0xFFFFFFFE))
    assert result.exit_code == 0
    assert "VERDICT WARNED. No check failed; 1 warning above." in result.stdout
