"""Whether a signature holds, asked of `cryptography` (OpenSSL). Loaded only where one is verified.

The key and the encodings were checked before; here is only which hash and which padding
belong to an algorithm. Nothing is remembered from one call to the next.
Source: RFC 8032 (Ed25519), RFC 5656, section 6.2.1 (hash by curve size), RFC 8332, section 3
(RSASSA-PKCS1-v1_5 with SHA-2).
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from custody.documents.sshsig_curves import NistCurve
from custody.documents.sshsig_inner import EcdsaValue, InnerSignature, SignatureAlgorithm
from custody.documents.sshsig_keys import EcdsaMaterial, Ed25519Material, KeyMaterial, RsaMaterial

_CURVES: dict[NistCurve, tuple[ec.EllipticCurve, HashAlgorithm]] = {
    NistCurve.P256: (ec.SECP256R1(), SHA256()),
    NistCurve.P384: (ec.SECP384R1(), SHA384()),
    NistCurve.P521: (ec.SECP521R1(), SHA512()),
}


def holds(material: KeyMaterial, inner: InnerSignature, signed: bytes) -> bool:
    """Whether the key made the signature over exactly `signed`."""
    try:
        _verify(material, inner, signed)
    except InvalidSignature:
        return False
    return True


def _verify(material: KeyMaterial, inner: InnerSignature, signed: bytes) -> None:
    match material, inner.value:
        case Ed25519Material(point), bytes(value):
            ed25519.Ed25519PublicKey.from_public_bytes(point).verify(value, signed)
        case RsaMaterial(exponent, modulus), bytes(value):
            hash_algorithm = SHA256() if inner.algorithm is SignatureAlgorithm.RSA_SHA256 else SHA512()
            key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
            key.verify(value, signed, padding.PKCS1v15(), hash_algorithm)
        case EcdsaMaterial(name, point), EcdsaValue(r, s):
            curve, curve_hash = _CURVES[name]
            der = utils.encode_dss_signature(r, s)
            ec.EllipticCurvePublicKey.from_encoded_point(curve, point).verify(der, signed, ec.ECDSA(curve_hash))
        case _:
            # A value of another kind of key: what is read can't be so, what is built by hand can.
            raise InvalidSignature
