"""The private key that signs, and the public keys that verify tokens."""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jwt

from fleet_kit.token_verifier import ALGORITHM, Jwk


class KeyUnusable(Exception):
    """A key file is missing or holds no EC P-256 key; the text names the file."""


class KeyRing:
    """Signs with the current key, knows the public half of earlier ones; a KeySource for the verifier."""

    def __init__(self, current: Path, previous: Sequence[Path] = ()) -> None:
        private = _read(current)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise KeyUnusable(f"{current} holds no private key")
        self._pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        jwks = [_jwk(private.public_key()), *(_jwk(_public(_read(file))) for file in previous)]
        self.kid: str = jwks[0]["kid"]
        self.pepper = hashlib.sha256(b"pepper:" + self._pem.encode()).digest()
        """A secret for keyed hashes, the same in every replica."""
        self._keys = {key["kid"]: key for key in jwks}

    async def key(self, kid: str) -> Jwk | None:
        """See fleet_kit.token_verifier.KeySource."""
        return self._keys.get(kid)

    def jwks(self) -> dict[str, list[Jwk]]:
        """The public keys as RFC 7517 wants them."""
        return {"keys": list(self._keys.values())}

    def sign(self, claims: dict[str, Any]) -> str:
        """A token with these claims, signed by the current key."""
        return str(jwt.encode(claims, self._pem, algorithm=ALGORITHM, headers={"kid": self.kid}))


def _read(file: Path) -> ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey:
    try:
        text = file.read_bytes()
        private = b"PRIVATE KEY" in text
        key = (
            serialization.load_pem_private_key(text, None)
            if private
            else serialization.load_pem_public_key(text)
        )
    except (OSError, ValueError, TypeError) as error:
        raise KeyUnusable(f"{file} cannot be read as a key: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        raise KeyUnusable(f"{file} holds no EC key")
    if not isinstance(key.curve, ec.SECP256R1):
        raise KeyUnusable(f"{file} holds a key of another curve than P-256")
    return key


def _public(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> ec.EllipticCurvePublicKey:
    return key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key


def _jwk(key: ec.EllipticCurvePublicKey) -> Jwk:
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    members: Jwk = jwk.construct(pem, ALGORITHM).to_dict()
    return members | {"kid": thumbprint(members), "use": "sig"}


def thumbprint(key: Jwk) -> str:
    """Key id after RFC 7638, which python-jose does not offer: the hash of the members that make the key."""
    required = {name: key[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).decode().rstrip("=")
