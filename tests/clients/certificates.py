"""CAs, the client certificates that they issue, and what they revoke."""

from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


class Issued:
    """A certificate with its key; `issuers` are sent along."""

    def __init__(self, certificate, key, issuers=()):
        self.certificate, self.key, self.issuers = certificate, key, issuers

    def chain(self):
        return b"".join(map(pem, (self.certificate, *self.issuers)))

    def private(self):
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(
            serialization.Encoding.PEM, form, serialization.NoEncryption()
        )

    def fingerprint(self):
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def files(self, folder):
        """Paths of the chain and of the key."""
        paths = folder / f"{self.fingerprint()}.pem", folder / f"{self.fingerprint()}-key.pem"
        for path, text in zip(paths, (self.chain(), self.private())):
            path.write_bytes(text)
        return tuple(map(str, paths))


class Authority(Issued):
    """A CA: one of its own, or of another's making."""

    def __init__(self, name="CA", parent=None):
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = (parent.certificate.subject, parent.key) if parent else (named(name), key)
        usage = {use: False for use in (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
            "key_agreement", "encipher_only", "decipher_only")}
        certificate = (
            built(named(name), key, issuer[0])
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
            .sign(issuer[1], hashes.SHA256())
        )
        issuers = (certificate, *parent.issuers) if parent else ()
        super().__init__(certificate, key, issuers)

    def issue(self, *names, days=(-1, 30), usage=CLIENT):
        """For these URIs and DNS names, valid from day to day."""
        key = ec.generate_private_key(ec.SECP256R1())
        kinds = (x509.UniformResourceIdentifier if ":" in name else x509.DNSName for name in names)
        alternatives = [kind(name) for kind, name in zip(kinds, names)]
        request = built(named("client"), key, self.certificate.subject, days)
        request = request.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            request = request.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return Issued(request.sign(self.key, hashes.SHA256()), key, self.issuers)

    def revoke(self, *issued, days=(-1, 30)):
        """The CRL, valid from day to day, in PEM."""
        begins, ends = between(days)
        request = x509.CertificateRevocationListBuilder()
        request = request.issuer_name(self.certificate.subject).last_update(begins).next_update(ends)
        number = x509.CRLNumber(x509.random_serial_number() >> 32)
        request = request.add_extension(number, critical=False)
        key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        request = request.add_extension(key, critical=False)
        for one in issued:
            gone = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
            request = request.add_revoked_certificate(gone.revocation_date(begins).build())
        return pem(request.sign(self.key, hashes.SHA256()))


def pem(thing):
    return thing.public_bytes(serialization.Encoding.PEM)


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def between(days):
    now = datetime.now(timezone.utc)
    return now + days[0] * DAY, now + days[1] * DAY


def built(name, key, issuer, days=(-1, 30)):
    begins, ends = between(days)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
