"""Descriptors and accounts as uniform resources write them, turned into text and back.

Source: BCR-2020-010 (crypto-output), BCR-2020-015 (crypto-account), BCR-2023-010 (output-descriptor),
BCR-2023-019 (account-descriptor). Any descriptor that these can say becomes text; written are a vault's
and one cosigner's account.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.descriptor_checksum import add_checksum
from custody.bitcoin.keys import HARDENED, KeyExpression
from custody.bitcoin.network import Network
from custody.bitcoin.ur_keys import HDKEY_TAGS, account_key_value, hdkey_value, key_text, require_public
from custody.documents.qr.cbor import CborValue, Tagged, cbor_decode, cbor_encode
from custody.documents.qr.refusals import malformed

_WRAPPERS = {400: "sh", 401: "wsh", 402: "pk", 403: "pkh", 404: "wpkh", 405: "combo", 409: "tr", 410: "cosigner"}
_SH, _WSH, _SORTEDMULTI, _COSIGNER = 400, 401, 407, 410
_BIP48_SCRIPTS = {HARDENED + 1: ScriptType.SH_WSH_SORTEDMULTI, HARDENED + 2: ScriptType.WSH_SORTEDMULTI}
_MULTI = {406: "multi", 407: "sortedmulti"}
_OUTPUT_TAGS = (308, 40308)
_MAX_NESTING = 4
_MAX_KEYS = 20
_MAX_OUTPUTS = 100
_PLACE = re.compile(r"@(0|[1-9][0-9]?)(?![0-9])", re.ASCII)
_SOURCE = re.compile(r"[0-9a-zA-Z_(){},/*<>;:@'-]{1,4000}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """What one signer offers: its fingerprint and a descriptor with its key for each script."""

    fingerprint: bytes
    outputs: tuple[str, ...]
    """Without checksum; `cosigner(…)` stands where a multisig of several signers belongs."""

    def to_text(self) -> str:
        """Return the outputs, one a line."""
        return "".join(f"{output}\n" for output in self.outputs)


def output_text(ur_type: str, message: bytes) -> str:
    """Return the descriptor that `crypto-output` or `output-descriptor` carries, with checksum.

    Raises:
        SecretRefused: a key in it is private.
        InvalidInput: QR_MALFORMED, QR_UNSUPPORTED, or what a key is refused for.
    """
    value = cbor_decode(message)
    require_public(value)
    return add_checksum(_described(value) if ur_type == "output-descriptor" else _script(value, 0))


def account_of(message: bytes) -> Account:
    """Return the account that `crypto-account` or `account-descriptor` carries.

    Raises:
        SecretRefused: a key in it is private.
        InvalidInput: QR_MALFORMED, QR_UNSUPPORTED, or what a key is refused for.
    """
    value = cbor_decode(message)
    require_public(value)
    outputs = value.get(2) if isinstance(value, Mapping) else None
    number = value.get(1) if isinstance(value, Mapping) else None
    if isinstance(number, bool) or not isinstance(number, int) or number > 0xFFFFFFFF:
        raise malformed("an account has no fingerprint")
    if not isinstance(outputs, tuple) or not 1 <= len(outputs) <= _MAX_OUTPUTS:
        raise malformed("an account has no outputs, or too many")
    return Account(number.to_bytes(4, "big"), tuple(_output(output) for output in outputs))


def descriptor_message(descriptor: Descriptor, network: Network) -> bytes:
    """Return a vault's descriptor as the CBOR of `crypto-output`."""
    keys: tuple[CborValue, ...] = tuple(
        hdkey_value(key, descriptor.branches, network, tags=HDKEY_TAGS[0]) for key in descriptor.keys
    )
    script = Tagged(_WSH, Tagged(_SORTEDMULTI, {1: descriptor.threshold, 2: keys}))
    wrapped = descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI
    return cbor_encode(Tagged(_SH, script) if wrapped else script)


def described_message(descriptor: Descriptor, network: Network) -> bytes:
    """Return a vault's descriptor as the CBOR of `output-descriptor`."""
    keys: tuple[CborValue, ...] = tuple(
        hdkey_value(key, descriptor.branches, network, tags=HDKEY_TAGS[1]) for key in descriptor.keys
    )
    places = ",".join(f"@{number}" for number in range(len(keys)))
    source = f"wsh(sortedmulti({descriptor.threshold},{places}))"
    wrapped = descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI
    return cbor_encode({1: f"sh({source})" if wrapped else source, 2: keys})


def account_message(key: KeyExpression, network: Network) -> bytes | None:
    """Return a cosigner's key as the CBOR of `crypto-account`; None where its path is none of BIP 48's for a vault.

    Which script the key is for follows from that path.
    Source: BCR-2020-015; BIP 48.
    """
    script = _script_of_path(key)
    if script is None:
        return None
    inside = Tagged(_WSH, Tagged(_COSIGNER, account_key_value(key, network, tags=HDKEY_TAGS[0])))
    wrapped = Tagged(_SH, inside) if script is ScriptType.SH_WSH_SORTEDMULTI else inside
    return _account(key, Tagged(_OUTPUT_TAGS[0], wrapped))


def account_descriptor_message(key: KeyExpression, network: Network) -> bytes | None:
    """Return a cosigner's key as the CBOR of `account-descriptor`; else as `account_message`. Source: BCR-2023-019."""
    script = _script_of_path(key)
    if script is None:
        return None
    source = "sh(wsh(cosigner(@0)))" if script is ScriptType.SH_WSH_SORTEDMULTI else "wsh(cosigner(@0))"
    value = account_key_value(key, network, tags=HDKEY_TAGS[1])
    return _account(key, Tagged(_OUTPUT_TAGS[1], {1: source, 2: (value,)}))


def _script_of_path(key: KeyExpression) -> ScriptType | None:
    path = key.origin.path
    return _BIP48_SCRIPTS.get(path[3]) if len(path) == 4 and path[0] == HARDENED + 48 else None


def _account(key: KeyExpression, output: CborValue) -> bytes:
    return cbor_encode({1: int.from_bytes(key.origin.fingerprint, "big"), 2: (output,)})


def _output(value: CborValue) -> str:
    if isinstance(value, Tagged) and value.tag == _OUTPUT_TAGS[1]:
        return _described(value.value)
    return _script(value.value if isinstance(value, Tagged) and value.tag == _OUTPUT_TAGS[0] else value, 0)


def _script(value: CborValue, depth: int) -> str:
    if not isinstance(value, Tagged) or depth > _MAX_NESTING:
        raise malformed("an output is no script, or nested too deeply")
    if value.tag in _WRAPPERS:
        return f"{_WRAPPERS[value.tag]}({_script(value.value, depth + 1)})"
    if value.tag in _MULTI:
        return _multi(_MULTI[value.tag], value.value)
    return key_text(value)


def _multi(name: str, value: CborValue) -> str:
    if not isinstance(value, Mapping) or set(value) != {1, 2}:
        raise malformed(f"{name}() has other fields than a threshold and keys")
    threshold, keys = value[1], value[2]
    if isinstance(threshold, bool) or not isinstance(threshold, int) or not isinstance(keys, tuple):
        raise malformed(f"{name}() has no threshold or no keys")
    if not 1 <= threshold <= len(keys) <= _MAX_KEYS:
        raise malformed(f"{name}() asks for {threshold} of {len(keys)} keys, at most {_MAX_KEYS} are read")
    return f"{name}({','.join((str(threshold), *map(key_text, keys)))})"


def _described(value: CborValue) -> str:
    """Return the text of an output-descriptor: its source, with `@N` replaced by the keys beside it."""
    if not isinstance(value, Mapping) or not set(value) <= {1, 2, 3, 4}:
        raise malformed("an output descriptor has fields that its type doesn't have")
    source, keys = value.get(1), value.get(2, ())
    if not isinstance(source, str) or _SOURCE.fullmatch(source) is None:
        raise malformed("an output descriptor has no source, or one with characters that don't belong there")
    if not isinstance(keys, tuple) or len(keys) > _MAX_KEYS:
        raise malformed(f"an output descriptor has more than {_MAX_KEYS} keys")
    texts = [key_text(key) for key in keys]
    named = [int(place) for place in _PLACE.findall(source)]
    if sorted(set(named)) != list(range(len(texts))) or source.count("@") != len(named):
        raise malformed("an output descriptor names other keys than it brings")
    return _PLACE.sub(lambda match: texts[int(match[1])], source)
