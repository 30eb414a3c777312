"""Vaults for tests, from a seeded generator of public keys: no private key of theirs exists anywhere."""

import random
from dataclasses import replace
from pathlib import Path

from custody.bitcoin.descriptor import ScriptType, add_checksum
from custody.bitcoin.keys import ExtendedKey, KeyExpression, KeyOrigin
from custody.bitcoin.network import Network
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from support.random_vaults import random_key_expression

NAMES = ("ann", "bo", "cy", "dot", "eve", "fay", "gus", "hal", "ida", "jo", "kay", "lea", "mia", "ned", "ole")


def make_keys(
    count: int,
    *,
    seed: int = 1,
    network: Network = Network.REGTEST,
    script_type: ScriptType = ScriptType.WSH_SORTEDMULTI,
) -> tuple[KeyExpression, ...]:
    """Return distinct, unrelated keys at their BIP 48 paths."""
    rng = random.Random(seed)  # noqa: S311 (repeatable on purpose)
    return tuple(random_key_expression(rng, network, script_type) for _ in range(count))


def vault_of(
    keys: tuple[KeyExpression, ...],
    *,
    threshold: int = 2,
    network: Network = Network.REGTEST,
    script_type: ScriptType = ScriptType.WSH_SORTEDMULTI,
    name: str = "reserve",
) -> Vault:
    """Return a vault over the given keys, named ann, bo, cy, …"""
    cosigners = tuple(Cosigner(name, key) for name, key in zip(NAMES, keys, strict=False))
    return Vault.from_cosigners(cosigners, name=name, network=network, script_type=script_type, threshold=threshold)


def make_vault(
    threshold: int = 2,
    count: int = 3,
    *,
    seed: int = 1,
    network: Network = Network.REGTEST,
    script_type: ScriptType = ScriptType.WSH_SORTEDMULTI,
) -> Vault:
    """Return a sound vault: m of n fresh keys."""
    keys = make_keys(count, seed=seed, network=network, script_type=script_type)
    return vault_of(keys, threshold=threshold, network=network, script_type=script_type)


def expression(fingerprint: bytes, path: tuple[int, ...], key: ExtendedKey) -> KeyExpression:
    """Return `key` dressed up so that its bytes agree with the origin that is claimed for it."""
    parent = fingerprint if len(path) == 1 else b"\x01\x02\x03\x04"
    dressed = replace(key, depth=len(path), child_number=path[-1], parent_fingerprint=parent)
    return KeyExpression(KeyOrigin(fingerprint, path), dressed)


def rechecksummed(text: str) -> str:
    """Return descriptor text with a fresh checksum, as an attacker would."""
    return add_checksum(text.partition("#")[0])


def create_arguments(vault: Vault, directory: Path) -> list[str | Path]:
    """Return `custody vault create` with the vault's own keys."""
    cosigners = [f"--cosigner={item.name}={item.key.to_text(vault.network)}" for item in vault.cosigners]
    script = "sh-wsh" if vault.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI else "wsh"
    options = ["--name", vault.name, "--network", str(vault.network), "--threshold", str(vault.threshold)]
    return ["vault", "create", directory, *options, "--script", script, *cosigners]
