"""What the secret gate can recognise, in words that a message can use."""

from enum import StrEnum


class SecretKind(StrEnum):
    """A kind of private material; the value completes "holds what looks like …"."""

    EXTENDED_PRIVATE_KEY = "an extended private key (xprv)"
    WIF_KEY = "a private key (WIF)"
    ENCRYPTED_KEY = "an encrypted private key (BIP 38)"
    MINI_KEY = "a mini private key"
    MNEMONIC = "a recovery phrase (BIP 39)"
    SLIP39_SHARE = "a share of a divided seed (SLIP 39)"
    CODEX32 = "a seed or a share of one (codex32)"
    SEED_QR = "a seed as a row of digits (SeedQR)"
    SEED_UR = "a seed as a uniform resource (UR)"
    HEX_SEED = "a seed or private key in hex"
    WALLET_FIELD = "the seed or private key of a wallet file"
    KEY_FILE = "a private key file"
