"""The simulated devices sign messages too: what a device does in round 1 of BIP 129. Never for money.

Signed with embit, so that the signature was made by other code than the one that checks it.
"""

import base64

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.message import message_digest
from custody.bitcoin.network import Network
from custody_hardware.simulator import private_account_key, simulated_key

_COMPRESSED = 31
"""First byte of a legacy signature by a compressed key, recovery id 0."""


def simulated_message_signature(number: int, network: Network, script_type: ScriptType, message: str) -> str:
    """Return the legacy signature, base64, of `message` by simulator `number`'s account key.

    Raises:
        InvalidInput: SIMULATOR_REFUSES_MAINNET, or no such simulator.
    """
    from embit.util import secp256k1  # type: ignore[import-untyped, unused-ignore]

    path = simulated_key(number, network, script_type).origin.path
    secret = private_account_key(number, network, path)
    signed = secp256k1.ecdsa_sign_recoverable(message_digest(message.encode()), secret)
    compact, recovery_id = secp256k1.ecdsa_recoverable_signature_serialize_compact(signed)
    return base64.b64encode(bytes([_COMPRESSED + recovery_id]) + compact).decode()
