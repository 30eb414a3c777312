"""The four networks that the toolkit knows, each with its own version bytes and prefixes.

The network is explicit everywhere: no function guesses one, and there is no default.
Three of the four share their extended-key version and their witness prefix, so a key or
an address alone can't tell testnet4 from signet; only `main` and `regtest` are certain.
Source: BIP 32 (versions), BIP 173 (prefixes), BIP 44 (coin types), BIP 94 (testnet4).
"""

from enum import StrEnum


class Network(StrEnum):
    """A bitcoin network by the name that commands and documents use."""

    MAIN = "main"
    TESTNET4 = "testnet4"
    SIGNET = "signet"
    REGTEST = "regtest"

    @property
    def is_main(self) -> bool:
        """Whether coins on this network have value."""
        return self is Network.MAIN

    @property
    def hrp(self) -> str:
        """Human-readable part of segwit addresses (BIP 173)."""
        return {"main": "bc", "testnet4": "tb", "signet": "tb", "regtest": "bcrt"}[self.value]

    @property
    def xpub_version(self) -> bytes:
        """Four version bytes of an extended public key (BIP 32): xpub or tpub."""
        return bytes.fromhex("0488b21e" if self.is_main else "043587cf")

    @property
    def pubkey_hash_version(self) -> int:
        """Version byte of a pay-to-pubkey-hash address in base58."""
        return 0x00 if self.is_main else 0x6F

    @property
    def script_hash_version(self) -> int:
        """Version byte of a pay-to-script-hash address in base58."""
        return 0x05 if self.is_main else 0xC4

    @property
    def coin_type(self) -> int:
        """Second step of a BIP 48 path: 0 for main, 1 for every test network."""
        return 0 if self.is_main else 1
