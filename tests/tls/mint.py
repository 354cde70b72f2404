"""Certificates for the TLS cases, minted by openssl when the test runs; nothing is kept."""
import base64
import dataclasses
import datetime
import pathlib
import subprocess

KEYS = {
    "p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "p224": ["EC", "-pkeyopt", "ec_paramgen_curve:P-224"],
    "secp256k1": ["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
    "ed25519": ["ED25519"],
    "rsa1024": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
    "rsa2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
}

CONFIGURATION = """
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = none
[any]
commonName = optional
[req]
distinguished_name = any
"""


@dataclasses.dataclass
class Certificate:
    """A certificate, its key, and the certificates that a server sends after it."""
    pem: pathlib.Path
    key: pathlib.Path
    chain: tuple = ()

    def text(self):
        return self.pem.read_text()


class Mint:
    """Everything is made in `folder`. Keys of one kind and purpose are made once."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.count = 0
        self.above = {}  # of an intermediate's file: the intermediates above it
        (self.folder / "ca.cnf").write_text(CONFIGURATION)
        self.root = self.authority("moot test root")

    def openssl(self, *words):
        done = subprocess.run(["openssl", *map(str, words)], cwd=self.folder, check=False,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {words}: {done.stderr}")

    def key(self, kind, purpose="leaf"):
        """The request of a key carries no name: that is given when it is signed."""
        path = self.folder / f"{purpose.replace(' ', '-')}-{kind}.key"
        if not path.exists():
            algorithm, *options = KEYS[kind]
            self.openssl("genpkey", "-algorithm", algorithm, *options, "-out", path)
            digest = [] if kind == "ed25519" else ["-sha256"]
            self.openssl("req", "-new", *digest, "-config", "ca.cnf", "-key", path, "-subj",
                         "/CN=x", "-out", path.with_suffix(".csr"))
        return path

    def sign(self, name, key, extensions, *, issuer=None, days=(-1, 30), digest="sha256"):
        """`issuer` None: by itself. `days` from now, of the beginning and the end."""
        self.count += 1
        pem = self.folder / f"{self.count}.pem"
        text = self.folder / f"{self.count}.ext"
        text.write_text("\n".join(extensions) + "\n")
        (self.folder / "index.txt").write_text("")
        now = datetime.datetime.now(datetime.timezone.utc)
        begin, end = (now + datetime.timedelta(days=day) for day in days)
        by = ["-cert", issuer.pem, "-keyfile", issuer.key] if issuer else ["-selfsign", "-keyfile",
                                                                           key]
        if digest:
            by += ["-md", digest]
        self.openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-in",
                     key.with_suffix(".csr"), "-subj", f"/CN={name}", "-startdate",
                     f"{begin:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}", "-extfile", text,
                     "-out", pem, *by)
        return Certificate(pem, key)

    def authority(self, name, *, issuer=None, kind="p256", constraints="critical,CA:TRUE",
                  usage="critical,keyCertSign,cRLSign", extra=(), **more):
        extensions = [*extra, "subjectKeyIdentifier=hash"]
        if constraints:
            extensions.append(f"basicConstraints={constraints}")
        if usage:
            extensions.append(f"keyUsage={usage}")
        made = self.sign(name, self.key(kind, name), extensions, issuer=issuer, **more)
        return made

    def leaf(self, san="DNS:api.test", *, name="a server", issuer=None, kind="p256",
             usage="critical,digitalSignature", extended="serverAuth", extra=(), **more):
        extensions = ["basicConstraints=CA:FALSE", *extra]
        if san:
            extensions.append(f"subjectAltName={san}")
        if usage:
            extensions.append(f"keyUsage={usage}")
        if extended:
            extensions.append(f"extendedKeyUsage={extended}")
        issuer = issuer or self.root
        made = self.sign(name, self.key(kind), extensions, issuer=issuer, **more)
        return dataclasses.replace(made, chain=self.path_of(issuer))

    def path_of(self, issuer):
        """What is sent above a leaf: the issuers below the root."""
        return () if issuer is self.root else (issuer, *self.above.get(issuer.pem, ()))

    def intermediate(self, name, issuer=None, **more):
        issuer = issuer or self.root
        made = self.authority(name, issuer=issuer, **more)
        self.above[made.pem] = self.path_of(issuer)
        return made

    def forge(self, certificate):
        """The same with one byte of the signature changed."""
        text = certificate.text().splitlines()
        body = bytearray(base64.b64decode("".join(text[1:-1])))
        body[-5] ^= 1
        encoded = base64.encodebytes(bytes(body)).decode()
        forged = certificate.pem.with_suffix(".forged.pem")
        forged.write_text(f"{text[0]}\n{encoded}{text[-1]}\n")
        return dataclasses.replace(certificate, pem=forged)

    def ladder(self, length):
        """The lowest of so many intermediates."""
        issuer = self.root
        for step in range(length):
            issuer = self.intermediate(f"step {step}", issuer)
        return issuer
