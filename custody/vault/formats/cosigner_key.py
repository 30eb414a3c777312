"""One cosigner's key as a device exports it, for `vault create`: it is no wallet, and holds several scripts' keys.

Read are Coldcard's multisig export (`ccxp-….json`) and its generic export, the same shape from
Passport, Keystone and Cobo Vault, and the text `[fingerprint/path]xpub` of Specter-DIY and others.
The key is the one for the wanted script; what the file says twice about it must agree.
Source: Coldcard/firmware, shared/export.py and docs/generic-wallet-export.md.
"""

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.secret_gate import scan_bytes
from custody.errors import InvalidInput
from custody.vault.formats.foreign_json import ForeignObject, read_object
from custody.vault.formats.foreign_keys import KeyStatement, inconsistent, read_key, require_network, unsupported

MAX_BYTES = 100_000
_FLAT = {ScriptType.WSH_SORTEDMULTI: ("p2wsh",), ScriptType.SH_WSH_SORTEDMULTI: ("p2sh_p2wsh", "p2wsh_p2sh")}
_SECTIONS = {ScriptType.WSH_SORTEDMULTI: "bip48_2", ScriptType.SH_WSH_SORTEDMULTI: "bip48_1"}
_CHAINS = {"BTC": "mainnet", "XTN": "testnet", "XRT": "regtest"}


def parse(data: bytes, script_type: ScriptType, network: Network) -> tuple[KeyExpression, bool]:
    """Read the key for `script_type`; say whether it was converted from a SLIP-132 prefix.

    Raises:
        SecretRefused: the file holds private material.
        InvalidInput: MALFORMED_DOCUMENT, IMPORT_INCONSISTENT, NETWORK_MISMATCH, DESCRIPTOR_UNSUPPORTED
            where it has no key for the script, and all that keys are refused for.
    """
    scan_bytes(data, place="the file")
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            Code.FILE_TOO_LARGE,
            f"a key file of {len(data)} bytes is larger than {MAX_BYTES}",
            advice="Check that it is the file that you mean.",
        )
    if data.lstrip().startswith(b"{"):
        return _from_object(read_object(data, "the key file"), script_type, network)
    return _from_text(data, network)


def _from_object(document: ForeignObject, script_type: ScriptType, network: Network) -> tuple[KeyExpression, bool]:
    chain = document.optional_text("chain")
    if chain is not None:
        require_network(_CHAINS.get(chain, chain), network)
    fingerprint = document.text("xfp")
    read = [
        (read_key(KeyStatement(fingerprint, path, xpub), script_type, network), descriptor)
        for path, xpub, descriptor in _statements(document, script_type)
    ]
    if not read:
        raise unsupported(f"a key file without a key for {script_type}")
    key = read[0][0][0]
    for (other, _notes), descriptor in read:
        if other != key:
            raise inconsistent(f"the key file holds two different keys for {script_type}")
        if descriptor is not None and key.to_text(network) not in descriptor.replace("'", "h"):
            raise inconsistent("the key file's descriptor template holds another key than its fields")
    # The plain and the SLIP-132 spelling of one key often stand side by side: then nothing was converted.
    return key, all(notes for (_key, notes), _descriptor in read)


def _statements(document: ForeignObject, script_type: ScriptType) -> list[tuple[str, str, str | None]]:
    """Return path, key and descriptor template as often as the file states the key."""
    found: list[tuple[str, str, str | None]] = []
    for name in _FLAT[script_type]:
        if name in document.members:
            template = document.optional_text(f"{name}_desc")
            found.append((document.text(f"{name}_deriv"), document.text(name), template))
    if _SECTIONS[script_type] in document.members:
        section = document.object(_SECTIONS[script_type])
        path, template = section.text("deriv"), section.optional_text("desc")
        found += [(path, section.text(key), template) for key in ("xpub", "_pub") if key in section.members]
    return found


def _from_text(data: bytes, network: Network) -> tuple[KeyExpression, bool]:
    try:
        lines = data.decode("ascii").split()
    except UnicodeDecodeError as cause:
        raise _malformed("the key file is not ASCII") from cause
    if len(lines) != 1:
        raise _malformed("the key file is neither JSON nor one `[fingerprint/path]xpub`")
    return KeyExpression.parse_converting_slip132(lines[0], network)


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(Code.MALFORMED_DOCUMENT, message, advice="Export the key again from its device.")
