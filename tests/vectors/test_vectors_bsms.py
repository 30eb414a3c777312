"""Every sample of BIP 129, in all three modes of encryption, and of BIP 322: the right verdict."""

from support.vector_verdicts_bsms import bip129, bip322


def test_every_sample_gets_its_verdict() -> None:
    assert bip322() == {"accepted": 26, "refused_unsupported": 0, "refused_invalid": 36, "wrong": 0}
    assert bip129() == {"accepted": 19, "refused_unsupported": 8, "refused_invalid": 9, "wrong": 0}
