"""Private keys and seeds that may stand in this repository: published, or made for tests. Never fund them."""

WORD_LISTS = frozenset(("custody/documents/bip39_english.py", "custody/documents/slip39_english.py"))
"""Files that hold the words of phrases and no phrase."""

_CANARY = "a sample of the form alone, for the secret gate's tests"
_MARK = "the beginning of a format, by which the secret gate knows it"

PUBLISHED = {
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about": "BIP 39, vectors",
    "legal winner thank year wave sausage worth useful legal winner thank yellow": "BIP 39, vectors",
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi": (
        "BIP 32, test vector 1, m"
    ),
    "tprv8ZgxMBicQKsPd9TeAdPADNnSyH9SSUUbTVeFszDE23Ki6TBB5nCefAdHkK8Fm3qMQR6sHwA56zqRmKmxnHk37JkiFzvncDqoKmPWubu7hDF": (
        "BIP 174, test vectors, master key"
    ),
    "6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg": "BIP 38, no compression, vector 1",
    "6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGh": "BIP 38, vector 1 with its last letter changed",
    "ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw": "BIP 93, vector 1",
    "ms10 test sxxx xxxx xxxx xxxx xxxx xxxx xxx4 nzvc a9cm czlw": "BIP 93, vector 1",
    "MS12NAMEA320ZYXWVUTSRQPNMLKJHGFEDCAXRPP870HKKQRM": "BIP 93, vector 2",
    "duckling enlarge academic academic agency result length solution fridge kidney coal piece deal husband erode": (
        "SLIP 39, vector 1"
    ),
    "192402220235174306311124037817700641198012901210": "SeedSigner, SeedQR format, vector 4",
    "1924 0222 0235 1743 0631 1124 0378 1770 0641 1980 1290 1210": "SeedSigner, SeedQR format, vector 4",
    "S6c56bnXQiBjk9mqSYE7ykVQ7NzrRy": "Bitcoin Wiki, mini private key format",
    "ur:crypto-seed/oeadgdstaslplabghydrpfmkbggufgludprfgmaotpiecffltnlpqdenos": "BCR-2020-006",
    "UR:SEED/OYADGDSTASLPLABGHYDRPFMKBGGUFGLUDPRFGMAMDPWMOX": "BCR-2020-006",
    "ur:crypto-bip39/oeadlkiyjkisinihjzieihiojpjlkpjoihihjpjlieihihhskthsjeihiejz": _CANARY,
    '"seed": "encrypted/and/base64=="': _CANARY,
    "'seed': 'd2a63f1c'": _CANARY,
    "-----BEGIN EC PRIVATE KEY-----": _MARK,
    "-----BEGIN OPENSSH PRIVATE KEY-----": _MARK,
    "-----BEGIN PGP PRIVATE KEY BLOCK-----": _MARK,
    "b3BlbnNzaC1rZXktdjE": _MARK,
    "PuTTY-User-Key-File-": _MARK,
    "AGE-SECRET-KEY-1": _MARK,
}
"""Each piece, exactly as it stands in a file, and where it was published."""
