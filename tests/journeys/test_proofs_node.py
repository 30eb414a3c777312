"""What a real node says of proofs: it takes none of them into its mempool, each for a reason of consensus."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.amount import Sats
from custody.bitcoin.bip322 import MessageVerdict, to_spend, verify_message
from custody.bitcoin.block import coinbase_transaction, mine_block
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_roles import extract, finalize
from custody.bitcoin.transaction import OutPoint, Transaction, TxOutput
from custody.chain.json_rpc import RpcRefused
from custody.spend.proof import (
    ProofCoin,
    bip127_proof,
    finish_bip127,
    finish_message,
    message_proof,
    review_proof,
    signing_scripts,
    verify_bip127,
)
from custody.spend.review_model import Place
from support.node import Node
from support.proofs import MESSAGE, PLACE, signed_by
from support.review_cases import simulated_vault

pytestmark = pytest.mark.node
SCRIPTS = [ScriptType.WSH_SORTEDMULTI, ScriptType.SH_WSH_SORTEDMULTI]
VALUE = Sats(150_000_000)


class Funded:
    """A vault with real coins on the node, at `PLACE` and at change 4."""

    def __init__(self, node: Node, script_type: ScriptType) -> None:
        self.vault = simulated_vault(script_type=script_type)
        self.places = (PLACE, Place(1, 4))
        paid = [node.pay(self.address(place), "1.5") for place in self.places]
        node.mine()
        self.coins = tuple(self._coin(place, one) for place, one in zip(self.places, paid, strict=True))

    def address(self, place: Place) -> str:
        return self.vault.deriver.address_at(place.branch, place.index, self.vault.network)

    def script(self, place: Place) -> bytes:
        return self.vault.deriver.at(place.branch, place.index).script_pubkey

    def _coin(self, place: Place, paid: Transaction) -> ProofCoin:
        vout = next(number for number, one in enumerate(paid.outputs) if one.script_pubkey == self.script(place))
        return ProofCoin(OutPoint(paid.txid, vout), VALUE, place, paid)

    def proofs(self) -> dict[str, Psbt]:
        """Return every kind of proof, unsigned."""
        return {
            "simple": message_proof(self.vault, PLACE, MESSAGE),
            "funds": message_proof(self.vault, PLACE, MESSAGE, self.coins),
            "bip127": bip127_proof(self.vault, MESSAGE, self.coins),
        }

    def outputs_by(self, node: Node) -> dict[OutPoint, TxOutput]:
        """Return what the node itself says of the coins."""
        found: dict[OutPoint, TxOutput] = {}
        for coin in self.coins:
            told: Any = node.rpc("gettxout", coin.outpoint.txid, coin.outpoint.vout)
            value = Sats(round(float(told["value"]) * 100_000_000))
            found[coin.outpoint] = TxOutput(value, bytes.fromhex(told["scriptPubKey"]["hex"]))
        return found


def refusal(node: Node, transaction: Transaction) -> str:
    """Return why the node does not take a transaction."""
    answer: Any = node.rpc("testmempoolaccept", [transaction.serialize().hex()])
    assert answer[0]["allowed"] is False, answer
    return str(answer[0]["reject-reason"])


def signed_transaction(funded: Funded, proof: Psbt, *devices: int) -> Transaction:
    """Return the whole transaction of a proof, its signatures in place."""
    signed = signed_by(funded.vault, proof, *devices)
    return extract(finalize(signed, signing_scripts(review_proof(signed, funded.vault), funded.vault)))


@pytest.mark.parametrize("script_type", SCRIPTS)
def test_no_proof_enters_a_mempool(script_type: ScriptType, node: Node) -> None:
    funded = Funded(node, script_type)
    for kind, proof in funded.proofs().items():
        unsigned = proof.unsigned_transaction()
        final = signed_transaction(funded, proof, 1, 3)
        # Version 0 and a script without data are no standard form; where only the input is judged, it is missing.
        expected = "missing-inputs" if kind == "bip127" else "version"
        assert refusal(node, unsigned) == expected
        assert refusal(node, final) == expected
        # The same inputs in a transaction of a standard form: what the first one spends exists nowhere.
        standard = replace(final, version=2, outputs=(TxOutput(Sats(100_000), funded.script(Place(0, 9))),))
        assert refusal(node, standard) == "missing-inputs"


@pytest.mark.parametrize("script_type", SCRIPTS)
def test_no_block_takes_a_proof_or_what_it_spends(script_type: ScriptType, node: Node) -> None:
    funded = Funded(node, script_type)
    miner = str(node.miner("getnewaddress"))
    parent = to_spend(MESSAGE, funded.script(PLACE))
    assert refusal(node, parent) == "coinbase"
    for proof in funded.proofs().values():
        final = signed_transaction(funded, proof, 1, 2)
        for transactions in ([final], [parent, final]):
            height = node.rpc("getblockcount")
            with pytest.raises(RpcRefused) as refused:
                node.rpc("generateblock", miner, [one.serialize().hex() for one in transactions])
            expected = "bad-cb-multiple" if parent in transactions else "bad-txns-inputs-missingorspent"
            assert expected in str(refused.value)
            assert node.rpc("getblockcount") == height


def test_a_node_reads_the_psbts_of_proofs(node: Node) -> None:
    for proof in Funded(node, ScriptType.WSH_SORTEDMULTI).proofs().values():
        told: Any = node.rpc("decodepsbt", proof.to_base64())
        assert told["tx"]["txid"] == proof.unsigned_txid


def test_no_miner_can_make_the_output_that_a_message_spends(node: Node) -> None:
    """It has the form of a coinbase, and its script says height 0: BIP 34 allows that to no block but the first."""
    tip = str(node.rpc("getbestblockhash"))
    header: Any = node.rpc("getblockheader", tip)
    parent = to_spend(MESSAGE, simulated_vault().deriver.at(0, 3).script_pubkey)
    block = mine_block(tip, int(header["mediantime"]) + 1, [parent])
    assert node.rpc("submitblock", block.serialize().hex()) == "bad-cb-height"
    assert node.rpc("getbestblockhash") == tip
    sound = coinbase_transaction(int(header["height"]) + 1, Sats(0), b"\x51", [])
    assert node.rpc("submitblock", mine_block(tip, int(header["mediantime"]) + 1, [sound]).serialize().hex()) is None


def test_proofs_verify_against_the_nodes_own_coins(node: Node) -> None:
    funded = Funded(node, ScriptType.WSH_SORTEDMULTI)
    proofs, known = funded.proofs(), funded.outputs_by(node)
    text = finish_message(funded.vault, signed_by(funded.vault, proofs["funds"], 2, 3))
    result = verify_message(MESSAGE, funded.script(PLACE), text, outputs=known)
    assert (result.verdict, set(result.funds)) == (MessageVerdict.VALID, set(known))
    made = finish_bip127(funded.vault, signed_by(funded.vault, proofs["bip127"], 1, 2))
    assert verify_bip127(MESSAGE, made, outputs=known).is_valid


def test_the_nodes_own_verification_of_signed_messages(node: Node, tmp_path: Path) -> None:
    """Bitcoin Knots verifies BIP 322's simple form for segwit addresses; Bitcoin Core doesn't, and then says so."""
    vault = simulated_vault()
    text = finish_message(vault, signed_by(vault, message_proof(vault, PLACE, MESSAGE), 1, 2))
    address = vault.deriver.address_at(PLACE.branch, PLACE.index, vault.network)
    try:
        told = node.rpc("verifymessage", address, text.removeprefix("smp"), MESSAGE.decode())
    except RpcRefused as error:
        assert "does not refer to key" in str(error)
        pytest.skip("this node verifies no BIP 322 messages")
    assert told is True
    assert node.rpc("verifymessage", address, text.removeprefix("smp"), MESSAGE.decode() + ".") is False
