"""What wallet formats without a descriptor say, put together: script, quorum, keys with their origins.

Such formats (Caravan, Coldcard's text, Electrum, Sparrow) mean sorted keys and the branches 0 and 1
by their own rules. What they say twice must agree (A117). SLIP-132 prefixes are converted, and
said so; one that stands for the other multisig script contradicts the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.bitcoin.descriptor import Branch, Descriptor, ScriptType
from custody.bitcoin.keys import ExtendedKey, KeyExpression, KeyOrigin, KeyPath, format_path, parse_path
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, InvalidInput, SecretRefused, Severity
from custody.vault.vault import Vault

_BOTH_BRANCHES = (int(Branch.RECEIVE), int(Branch.CHANGE))
_SCRIPTS = {
    "P2WSH": ScriptType.WSH_SORTEDMULTI,
    "P2SH-P2WSH": ScriptType.SH_WSH_SORTEDMULTI,
    "P2WSH-P2SH": ScriptType.SH_WSH_SORTEDMULTI,
}
_OTHER_SCRIPTS = frozenset(
    {"P2SH", "P2PKH", "P2WPKH", "P2SH-P2WPKH", "P2WPKH-P2SH", "P2TR", "P2PK", "MULTISIG", "P2SP"}
)
_SLIP132_SCRIPTS = {
    "Zpub": ScriptType.WSH_SORTEDMULTI,
    "Vpub": ScriptType.WSH_SORTEDMULTI,
    "Ypub": ScriptType.SH_WSH_SORTEDMULTI,
    "Upub": ScriptType.SH_WSH_SORTEDMULTI,
}
_NETWORKS = {
    "mainnet": (Network.MAIN,),
    "bitcoin": (Network.MAIN,),
    # The third test network is none of ours; programs that don't know these two write its name for them.
    "testnet": (Network.TESTNET4, Network.SIGNET),
    "testnet4": (Network.TESTNET4,),
    "signet": (Network.SIGNET,),
    "regtest": (Network.REGTEST,),
}


@dataclass(frozen=True, slots=True)
class KeyStatement:
    """A key as a wallet format states it, in three texts."""

    fingerprint: str | None
    path: str | None
    """With or without `m/` in front."""
    xpub: str


@dataclass(frozen=True, slots=True)
class WalletStatement:
    """All that a wallet format says about scripts."""

    script_type: ScriptType
    threshold: int
    total: int | None
    """The number of keys, where the format says it beside the keys themselves."""
    keys: Sequence[KeyStatement]

    def to_descriptor(self, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
        """Return the descriptor of both branches, and a note on each converted key.

        Raises:
            InvalidInput: IMPORT_INCONSISTENT, ORIGIN_MISSING, and all that keys and descriptors are refused for.
        """
        if self.total is not None and self.total != len(self.keys):
            raise inconsistent(f"the file speaks of {self.total} keys and holds {len(self.keys)}")
        read = [_read_numbered(number, key, self.script_type, network) for number, key in enumerate(self.keys, 1)]
        keys = tuple(key for key, _notes in read)
        notes = tuple(note for _key, notes in read for note in notes)
        return Descriptor(self.script_type, self.threshold, keys, _BOTH_BRANCHES), notes


def script_type_named(name: str) -> ScriptType:
    """Return the script type that wallet files call `name`: P2WSH, or P2SH-P2WSH in either order.

    Raises:
        InvalidInput: DESCRIPTOR_UNSUPPORTED, naming the kind if it is a known one.
    """
    normal = name.strip().upper().replace("_", "-")
    script_type = _SCRIPTS.get(normal)
    if script_type is None:
        raise unsupported(f"the script kind {normal}" if normal in _OTHER_SCRIPTS else "the file's script kind")
    return script_type


def unsupported(what: str) -> InvalidInput:
    """Return the error for a wallet of a kind that no vault has."""
    return InvalidInput(
        Code.DESCRIPTOR_UNSUPPORTED,
        f"{what} is not supported",
        advice="A vault is m of n sorted keys in P2WSH or P2SH-P2WSH; make one and move the coins to it.",
    )


def inconsistent(message: str) -> InvalidInput:
    """Return the error for two statements of one fact that differ."""
    return InvalidInput(
        Code.IMPORT_INCONSISTENT,
        message,
        advice="Two statements of one fact must agree: export the wallet again and find out who changed the file.",
    )


def require_network(stated: str, network: Network) -> None:
    """Demand that the network a file names is the one that was given.

    Raises:
        InvalidInput: NETWORK_MISMATCH.
    """
    if network not in _NETWORKS.get(stated.lower(), ()):
        known = f"`{stated.lower()}`" if stated.lower() in _NETWORKS else "another network"
        raise InvalidInput(
            Code.NETWORK_MISMATCH,
            f"the file is for {known}, --network says `{network}`",
            advice="Find out for which network the wallet was made.",
        )


def network_name(network: Network) -> str:
    """Return what most programs call the network: `mainnet` for main."""
    return "mainnet" if network.is_main else str(network)


def require_both_branches(vault: Vault, format_name: str) -> None:
    """Refuse to write a receive-only vault in a format that always means both branches.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    if vault.descriptor.branches != _BOTH_BRANCHES:
        raise InvalidInput(
            Code.RECEIVE_ONLY_VAULT,
            f"the format `{format_name}` can't say that a vault has no change branch",
            advice="Export a receive-only vault as vault, descriptor or core.",
        )


def quoted_path(path: KeyPath) -> str:
    """Return `path` as wallet files write it: `m/48'/0'/0'/2'`."""
    return "/".join(("m", *format_path(path).replace("h", "'").split("/"))) if path else "m"


def read_origin_path(text: str) -> KeyPath:
    """Read a path with or without `m/` in front."""
    return parse_path("" if text in ("m", "m/") else text.removeprefix("m/"))


def read_key(statement: KeyStatement, script_type: ScriptType, network: Network) -> tuple[KeyExpression, list[Finding]]:
    """Read a key and its origin, and note a converted prefix.

    Raises:
        InvalidInput: ORIGIN_MISSING, IMPORT_INCONSISTENT, and all that keys are refused for.
    """
    key, converted = ExtendedKey.from_base58_converting(statement.xpub, network)
    if statement.fingerprint is None or statement.path is None or statement.path.lower() == "unknown":
        raise InvalidInput(
            Code.ORIGIN_MISSING,
            "the key has no fingerprint or no path",
            advice="Export the key again from its device, with its master fingerprint and path.",
        )
    fingerprint = KeyOrigin.from_text(statement.fingerprint).fingerprint
    expression = KeyExpression(KeyOrigin(fingerprint, read_origin_path(statement.path)), key)
    return expression, [_converted(statement.xpub, script_type, expression)] if converted else []


def _read_numbered(
    number: int, statement: KeyStatement, script_type: ScriptType, network: Network
) -> tuple[KeyExpression, list[Finding]]:
    try:
        return read_key(statement, script_type, network)
    except SecretRefused:
        raise
    except InvalidInput as cause:
        raise InvalidInput(cause.code, f"key {number}: {cause.message}", advice=cause.advice) from cause


def _converted(text: str, script_type: ScriptType, expression: KeyExpression) -> Finding:
    prefix = text[:4]
    meant = _SLIP132_SCRIPTS.get(prefix)
    if meant is not None and meant is not script_type:
        raise inconsistent(f"the prefix `{prefix}` stands for {meant}, the file says {script_type}")
    single = " (a prefix for wallets of one key)" if meant is None else ""
    return Finding(
        Code.SLIP132_CONVERTED,
        Severity.NOTE,
        f"key:{expression.origin.fingerprint.hex()}",
        f"the key of [{expression.origin.to_text()}] was written as `{prefix}`{single} and is now an xpub or tpub",
        "Nothing to do: it is the same key; the descriptor itself says which script it is for.",
    )
