"""How a device that takes whole PSBTs signs one: it trusts its own wallets and the previous transactions."""

from embit.psbt import PSBT

from support.hwi_doubles.core import Double, Wallet

ONE_FOREIGN_OUTPUT = b"\x00\x14" + bytes(20)


def sign_psbt(device: Double, raw: bytes, wallet: Wallet) -> bytes:
    """Return the PSBT with a signature on every input of the wallet, or spoilt as the bench wants it."""
    psbt = PSBT.parse(raw)
    if device.record["signs"] == "changed":
        # What a thief in between would do: another payee, and a signature for that.
        psbt.outputs[0].script_pubkey.data = ONE_FOREIGN_OUTPUT
        psbt.tx.vout[0].script_pubkey.data = ONE_FOREIGN_OUTPUT
    master = device.fingerprint
    for number, item in enumerate(psbt.inputs):
        utxo = item.utxo
        for public_key, origin in item.bip32_derivations.items():
            if bytes(origin.fingerprint) != master:
                continue
            place = tuple(origin.derivation[-2:])
            witness_script = wallet.witness_script(*place)
            if bytes(utxo.script_pubkey.data) != wallet.script_pubkey(*place):
                raise ValueError(f"input {number} is not of the wallet")
            item.partial_sigs[public_key] = device.sign(psbt.tx, number, origin.derivation, witness_script, utxo.value)
            if device.record["signs"] == "as a stranger":
                stranger = device.public_key([5, 5])
                item.partial_sigs[type(public_key).parse(stranger)] = item.partial_sigs.pop(public_key)
    if device.record["signs"] == "not at all":
        return raw
    if device.record["signs"] == "trimmed":
        for item in (*psbt.inputs, *psbt.outputs):
            item.bip32_derivations.clear()
            item.witness_script = item.redeem_script = None
        for item in psbt.inputs:
            item.non_witness_utxo = item.witness_utxo = None
        psbt.xpubs.clear()
    return bytes(psbt.serialize())
