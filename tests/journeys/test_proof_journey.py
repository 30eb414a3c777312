"""A proof from file to text by the commands: reviewed, signed by two, combined, finished; and what stops it."""

from pathlib import Path

import pytest

from custody.bitcoin.bip127 import verify_bip127
from custody.bitcoin.bip322 import verify_message
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.transaction import Transaction
from support.cli import run, run_json
from support.proofs import KINDS, MESSAGE, outputs_of, proof_of, signed_by, two_coins
from support.review_cases import simulated_vault, write_files

SCRIPTS = [ScriptType.WSH_SORTEDMULTI, ScriptType.SH_WSH_SORTEDMULTI]


@pytest.mark.parametrize("script_type", SCRIPTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_proof_by_the_commands(kind: str, script_type: ScriptType, tmp_path: Path) -> None:
    vault = simulated_vault(script_type=script_type)
    proof = proof_of(kind, vault)
    file, vault_file = write_files(tmp_path, proof, vault)
    trusted = ["--vault-file", vault_file]

    shown = run(["psbt", "review", file, *trusted])
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Proof of vault reserve (2 of 3 on regtest)")
    assert "| nonce: 7" in shown.stdout
    assert f"block it names          height 900001, {'0f' * 32}" in shown.stdout
    assert "VERDICT CLEAN. A proof: nothing can be spent by it." in shown.stdout
    for absent in ("PAYS", "FEE", "UTXO_UNVERIFIED"):
        assert absent not in shown.stdout

    signed = [tmp_path / f"signed-{number}.psbt" for number in (1, 3)]
    for number, path in zip((1, 3), signed, strict=True):
        path.write_bytes(signed_by(vault, proof, number).serialize())
    early = run(["psbt", "finalize", signed[0], *trusted, "--json"])
    assert (early.exit_code, early.error["error"]) == (5, "SIGNATURES_MISSING")

    combined, text = tmp_path / "combined.psbt", tmp_path / "proof.txt"
    told = run_json(["psbt", "combine", file, *signed, *trusted, "-o", combined])
    assert told["signing"] == {"threshold": 2, "signed": ["ann", "cy"], "missing": 0}
    finished = run(["psbt", "finalize", combined, *trusted, "-o", text])
    assert finished.exit_code == 0
    assert "a proof for whoever asked for it, never a payment" in finished.stdout
    assert run(["psbt", "finalize", combined, *trusted, "-o", text]).exit_code != 0  # nothing is overwritten

    # On stdout it is the same text; with --json it stands under its name.
    made = text.read_text().strip()
    assert run(["psbt", "finalize", combined, *trusted]).stdout.strip() == made
    known = outputs_of(vault, two_coins(vault))
    json = run_json(["psbt", "finalize", combined, *trusted])
    if kind == "bip127":
        assert json["proof_transaction"] == made
        assert verify_bip127(MESSAGE, Transaction.parse(bytes.fromhex(made)), outputs=known).is_valid
    else:
        assert json["signature"] == made
        assert verify_message(MESSAGE, vault.deriver.at(0, 3).script_pubkey, made, outputs=known).is_valid


@pytest.mark.parametrize("kind", KINDS)
def test_a_proof_in_version_2_is_the_same_proof(kind: str, tmp_path: Path) -> None:
    vault = simulated_vault()
    file, vault_file = write_files(tmp_path, proof_of(kind, vault), vault)
    second, back = tmp_path / "second.psbt", tmp_path / "back.psbt"
    assert run(["psbt", "convert", file, "--version", 2, "-o", second]).exit_code == 0
    reviewed = [run_json(["psbt", "review", one, "--vault-file", vault_file]) for one in (file, second)]
    assert reviewed[0] == reviewed[1]
    assert run(["psbt", "convert", second, "--version", 0, "-o", back]).exit_code == 0
    assert back.read_bytes() == file.read_bytes()
