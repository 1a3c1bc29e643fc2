"""The daemon's own certificate authority: one key in the home, and a certificate for each sandbox's listener."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from daemon.base.files import replace_file

_YEARS_DAYS = 3650
_SKEW = dt.timedelta(hours=1)
_LEAF = dt.timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class CertificateAuthority:
    """Issues certificates that only our own sandboxes trust."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @classmethod
    def open(cls, folder: Path, *, now: dt.datetime) -> "CertificateAuthority":
        """Read the authority of a home, making it the first time."""
        place = folder / "sandbox.pem"
        try:
            both = place.read_bytes()
        except FileNotFoundError:
            made = cls._make(now)
            replace_file(place, made._private() + made.certificate_pem)  # noqa: SLF001 - it is the same class
            return made
        key = serialization.load_pem_private_key(both, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{place} holds another kind of key; move it away, and a new one is made")
        certificate = x509.load_pem_x509_certificate(both[both.index(b"-----BEGIN CERTIFICATE") :])
        return cls(key, certificate)

    @property
    def certificate_pem(self) -> bytes:
        """Return what a client must trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, folder: Path, *, name: str, address: str | None, now: dt.datetime) -> Issued:
        """Make a certificate for one listener."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if address is not None:
            names.append(x509.IPAddress(ipaddress.ip_address(address)))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + _LEAF)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        issued = Issued(folder / "listener.pem", folder / "listener.key")
        chain = certificate.public_bytes(serialization.Encoding.PEM) + self.certificate_pem
        # Each daemon issues them anew, so they need not outlive a power cut; the authority must.
        replace_file(issued.certificate, chain, durable=False)
        replace_file(issued.key, _pem(key), durable=False)
        return issued

    @classmethod
    def _make(cls, now: dt.datetime) -> "CertificateAuthority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Aileron, this installation only")
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + dt.timedelta(days=_YEARS_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    def _private(self) -> bytes:
        return _pem(self._key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
