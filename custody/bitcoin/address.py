"""Addresses: an output script as people copy it, and back.

Base58check for pay-to-pubkey-hash and pay-to-script-hash, BIP 173 and BIP 350 for witness
programs of every version. An address of another network is refused by name; testnet4 and
signet share their prefixes, so an address can't tell those two apart.
"""

from custody.bitcoin.encoding import base58check_decode, base58check_encode, segwit_decode, segwit_encode
from custody.bitcoin.keys import refuse_private_keys
from custody.bitcoin.network import Network
from custody.bitcoin.script import OP_1, OutputKind, output_kind, witness_program
from custody.codes import Code
from custody.errors import InvalidInput

_ADVICE = "Copy the address again from its source, whole and unchanged."


def address_of(script_pubkey: bytes, network: Network) -> str | None:
    """Return the address of an output script, or None if such scripts have none."""
    program = witness_program(script_pubkey)
    if program is not None:
        version, payload = program
        if version == 0 and len(payload) not in (20, 32):
            return None
        return segwit_encode(network.hrp, version, payload)
    kind = output_kind(script_pubkey)
    if kind is OutputKind.P2PKH:
        return base58check_encode(bytes([network.pubkey_hash_version]) + script_pubkey[3:23])
    if kind is OutputKind.P2SH:
        return base58check_encode(bytes([network.script_hash_version]) + script_pubkey[2:22])
    return None


def script_of(address: str, network: Network) -> bytes:
    """Return the output script that `address` stands for on `network`.

    Raises:
        SecretRefused: the text is a private key.
        InvalidInput: ADDRESS_INVALID, or NETWORK_MISMATCH for a good address of another network.
    """
    refuse_private_keys(address, place="an address")
    hrp = address.lower().rpartition("1")[0]
    if hrp in {known.hrp for known in Network}:
        version, program = segwit_decode(hrp, address)
        _require_network(hrp == network.hrp, network)
        return bytes([OP_1 - 1 + version if version else 0, len(program)]) + program
    payload = base58check_decode(address)
    if len(payload) != 21:
        raise InvalidInput(Code.ADDRESS_INVALID, f"an address holds {len(payload)} bytes, expected 21", advice=_ADVICE)
    return _script_of_hash(payload[0], payload[1:], network)


def _script_of_hash(version: int, payload: bytes, network: Network) -> bytes:
    if version in {known.pubkey_hash_version for known in Network}:
        _require_network(version == network.pubkey_hash_version, network)
        return b"\x76\xa9\x14" + payload + b"\x88\xac"
    if version in {known.script_hash_version for known in Network}:
        _require_network(version == network.script_hash_version, network)
        return b"\xa9\x14" + payload + b"\x87"
    raise InvalidInput(Code.ADDRESS_INVALID, f"an address has the unknown version byte {version}", advice=_ADVICE)


def _require_network(matches: bool, network: Network) -> None:
    if not matches:
        raise InvalidInput(
            Code.NETWORK_MISMATCH,
            f"the address belongs to another network than `{network}`",
            advice="Ask the payee for an address of the right network.",
        )
