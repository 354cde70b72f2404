"""The table of TLS cases: who the peer is, what it does, and what the client says of it.

A verdict is the error's name, or OK for an answer that came whole; a pair is that of mbedTLS 2.28
and that of 3.x; a set is any of them. `server` makes the peer: the words of s_server and its certificate, or a function
that writes to the socket itself.
"""
import dataclasses
import typing

OK, ECERT, ETLS, ERESET = "OK", "ECERT", "ETLS", "ERESET"
ETIMEDOUT, ETRUNCATED, ECONFIG = "ETIMEDOUT", "ETRUNCATED", "ECONFIG"


@dataclasses.dataclass
class Case:
    name: str
    verdict: typing.Any
    mint: typing.Callable = None  # of a Mint: the certificate; None: a good one
    host: str = "api.test"
    words: tuple = ()  # more of s_server
    says: str = ""  # part of the message
    response: bytes = None
    then: str = None
    nginx: str = None  # instead of s_server: nginx with these directives more
    script: typing.Callable = None  # instead of s_server
    spoil: typing.Callable = None  # what comes back, see server.Proxy
    sends_extra: tuple = ()  # certificates to send instead of the issuers
    truncates: bool = False  # the connection ends with a FIN after what was answered
    reaches: bool = False  # though refused in the end, the peer is the right one
    questions: int = 1
    shows: str = ""  # part of what the last server printed
    second: typing.Any = None  # the peer of the second connection: another certificate


def general_name(dns):
    """A leaf whose only name is these bytes, which openssl's own syntax would not let through."""
    encoded = bytes([0x30, len(dns) + 2, 0x82, len(dns)]) + dns
    text = "subjectAltName=DER:" + ":".join(f"{byte:02x}" for byte in encoded)
    return lambda mint: mint.leaf(None, extra=(text,))


def names():
    """Who may call itself what."""
    def san(text, **more):
        return lambda mint: mint.leaf(text, **more)

    many = ",".join(f"DNS:n{i}.test" for i in range(300))
    too_many = ",".join(f"DNS:n{i}.test" for i in range(10000))
    yield Case("right name", OK)
    yield Case("right name, among others", OK, san("DNS:x.test,DNS:api.test,IP:10.0.0.1"))
    yield Case("wrong name", ECERT, san("DNS:other.test"), says="other.test, not for api.test")
    yield Case("common name only", ECERT, san(None, name="api.test"), says="subjectAltName")
    yield Case("common name right, SAN wrong", ECERT, san("DNS:other.test", name="api.test"))
    yield Case("common name wrong, SAN right", OK, san("DNS:api.test", name="other.test"))
    yield Case("our name as a prefix", ECERT, san("DNS:api.test.evil.test"))
    yield Case("our name as a suffix", ECERT, san("DNS:evil-api.test"))
    yield Case("the parent's name", ECERT, san("DNS:test"))
    yield Case("a child's name", ECERT, san("DNS:a.api.test"))
    yield Case("upper case in the certificate", OK, san("DNS:API.TEST"))
    yield Case("upper case in the URL", OK, host="API.Test")
    yield Case("trailing dot in the URL", (OK, OK), host="api.test.")
    yield Case("trailing dot in the certificate", ECERT, san("DNS:api.test."))
    yield Case("a blank before the name", ECERT, general_name(b" api.test"))
    yield Case("a letter beyond ASCII", ECERT, general_name(b"\xe1pi.test"))
    yield Case("an empty name", ECERT, general_name(b""))
    yield Case("NUL inside of the name", ECERT, general_name(b"api.test\0.x.test"))
    yield Case("NUL after the name", ECERT, general_name(b"api.test\0"))
    yield Case("a mail address only", ECERT, san("email:a@api.test", name="api.test"))
    yield Case("a URI only", ECERT, san("URI:https://api.test/", name="api.test"))
    yield Case("punycode", OK, san("DNS:xn--bcher-kva.test"), host="xn--bcher-kva.test")
    yield Case("punycode of another", ECERT, san("DNS:xn--bcher-kva.test"), host="bucher.test")
    yield Case("letters beyond ASCII in the URL", ECONFIG, host="b\u00fccher.test")
    yield Case("301 names, the last is right", OK, san(many + ",DNS:api.test"))
    yield Case("300 names, none is right", ECERT, san(many))
    yield Case("10,000 names", ETLS, san(too_many))
    for pattern, host, verdict in [
            ("*.wild.test", "a.wild.test", OK), ("*.wild.test", "A.WILD.TEST", OK),
            ("*.wild.test", "a.b.wild.test", ECERT), ("*.wild.test", "wild.test", ECERT),
            ("*.wild.test", ".wild.test", ECONFIG), ("*.test", "api.test", OK),
            ("*", "api.test", ECERT), ("*.", "api.test", ECERT), ("**.wild.test", "a.wild.test", ECERT),
            ("a.*.test", "a.wild.test", ECERT), ("*.*.test", "a.wild.test", ECERT),
            ("a*.wild.test", "api.wild.test", ECERT), ("*i.wild.test", "api.wild.test", ECERT),
            ("a*i.wild.test", "api.wild.test", ECERT), ("xn--*.wild.test", "xn--a.wild.test", ECERT),
            ("*.0.0.1", "127.0.0.1", ECERT)]:
        yield Case(f"{pattern} for {host}", verdict, san(f"DNS:{pattern}"), host=host)
    for text, host, verdict in [
            ("IP:127.0.0.1", "127.0.0.1", OK), ("IP:127.0.0.2", "127.0.0.1", ECERT),
            ("IP:::1", "[::1]", OK), ("IP:0:0:0:0:0:0:0:1", "[0:0::0:1]", OK),
            ("IP:::2", "[::1]", ECERT), ("IP:127.0.0.1", "[::ffff:127.0.0.1]", ECERT),
            ("IP:::ffff:127.0.0.1", "127.0.0.1", ECERT), ("DNS:127.0.0.1", "127.0.0.1", ECERT),
            ("IP:127.0.0.1", "api.test", ECERT), ("DNS:::1", "[::1]", ECERT),
            ("IP:127.0.0.1,DNS:api.test", "api.test", OK)]:
        yield Case(f"{text} for {host}", verdict, san(text), host=host)
    yield Case("an address as common name", ECERT, san(None, name="127.0.0.1"), host="127.0.0.1")


def dates_and_chains():
    """Who signed it, for what, when, and how strongly."""
    def leaf(**more):
        return lambda mint: mint.leaf(**more)

    def below(**more):
        """A leaf below one intermediate."""
        return lambda mint: mint.leaf(issuer=mint.intermediate(**{"name": "middle"} | more))

    def below_ladder(length):
        return lambda mint: mint.leaf(issuer=mint.ladder(length))

    yield Case("expired", ECERT, leaf(days=(-30, -1)), says="expired on")
    yield Case("not yet valid", ECERT, leaf(days=(1, 30)), says="not valid before")
    yield Case("valid for one more day", OK, leaf(days=(-1, 1)))
    yield Case("the intermediate expired", ECERT, below(days=(-30, -1)), says="expired on")
    yield Case("the intermediate is not yet valid", ECERT, below(days=(1, 30)))
    yield Case("self-signed", ECERT, lambda mint: mint.sign(
        "api.test", mint.key("p256"), ["subjectAltName=DNS:api.test"]), says="self-signed")
    yield Case("self-signed authority", ECERT, lambda mint: mint.sign(
        "api.test", mint.key("p256"),
        ["subjectAltName=DNS:api.test", "basicConstraints=critical,CA:TRUE"]))
    yield Case("unknown root", ECERT, lambda mint: mint.leaf(issuer=mint.authority("another root")),
               sends_extra=("nothing",), says="unknown issuer")
    yield Case("unknown root, sent too", ECERT,
               lambda mint: mint.leaf(issuer=mint.authority("another root")),
               says="not among the trusted ones")
    yield Case("another root of the same name", ECERT, lambda mint: mint.leaf(
        issuer=mint.sign("moot test root", mint.key("p256", "impostor"),
                         ["basicConstraints=critical,CA:TRUE"])))
    yield Case("an intermediate", OK, below())
    yield Case("the intermediate is missing", ECERT, below(), sends_extra=("nothing",),
               says="unknown issuer")
    yield Case("the root is sent too", OK, below(), sends_extra=("chain", "root"))
    yield Case("the leaf is sent twice", OK, below(), sends_extra=("leaf", "chain"))
    yield Case("a stranger in the chain", OK, below(), sends_extra=("stranger", "chain"))
    yield Case("three intermediates", OK, below_ladder(3))
    yield Case("three intermediates, upside down", ECERT, below_ladder(3), sends_extra=("reversed",))
    yield Case("eight intermediates", OK, below_ladder(8))
    yield Case("nine intermediates", ETLS, below_ladder(9), says="too long")
    yield Case("a hundred certificates", ETLS, below(), sends_extra=("hundred",))
    yield Case("intermediate without CA:TRUE", ECERT, below(constraints="CA:FALSE"))
    yield Case("intermediate without constraints", ECERT, below(constraints=None))
    yield Case("intermediate that may not sign", ECERT, below(usage="critical,digitalSignature"))
    yield Case("path length exceeded", ECERT, lambda mint: mint.leaf(issuer=mint.intermediate(
        "lower", mint.intermediate("upper", constraints="critical,CA:TRUE,pathlen:0"))))
    yield Case("path length kept", OK, below(constraints="critical,CA:TRUE,pathlen:0"))
    yield Case("signed by a server's certificate", ECERT, lambda mint: mint.leaf(
        issuer=mint.sign("a server", mint.key("p256", "server"),
                         ["basicConstraints=CA:FALSE", "subjectAltName=DNS:api.test"],
                         issuer=mint.root)))
    yield Case("name constraints against it", ETLS, below(
        extra=("nameConstraints=critical,permitted;DNS:other.test",)))
    yield Case("an unknown critical extension", ETLS, leaf(
        extra=("1.2.3.4.5=critical,ASN1:NULL",)))
    yield Case("an unknown extension", OK, leaf(extra=("1.2.3.4.5=ASN1:NULL",)))
    yield Case("must-staple", OK, leaf(extra=("tlsfeature=status_request",)))
    yield Case("an authority as a server", OK, lambda mint: mint.sign(
        "api.test", mint.key("p256"), ["basicConstraints=critical,CA:TRUE",
                                       "subjectAltName=DNS:api.test"], issuer=mint.root))
    yield Case("for clients only", ECERT, leaf(extended="clientAuth"), says="not for TLS servers")
    yield Case("for code signing only", ECERT, leaf(extended="codeSigning"))
    yield Case("for servers and clients", OK, leaf(extended="serverAuth,clientAuth"))
    yield Case("for any purpose", OK, leaf(extended="anyExtendedKeyUsage"))
    yield Case("for no stated purpose", OK, leaf(extended=None))
    yield Case("key not for signatures", (ETLS, ECERT), leaf(usage="critical,keyAgreement"))
    yield Case("key without usages", OK, leaf(usage=None))
    yield Case("RSA 2048", OK, leaf(kind="rsa2048"))
    yield Case("RSA 1024", ECERT, leaf(kind="rsa1024"), words=("-cipher", "ALL:@SECLEVEL=0"),
               says="too weak")
    yield Case("an authority of RSA 1024", ECERT, below(kind="rsa1024", name="weak"),
               words=("-cipher", "ALL:@SECLEVEL=0"))
    yield Case("signed with SHA-1", ECERT, leaf(digest="sha1"), says="too weak",
               words=("-cipher", "ALL:@SECLEVEL=0"))
    yield Case("signed with MD5", (ECERT, ECERT), lambda mint: mint.leaf(
        issuer=mint.intermediate("of RSA", kind="rsa2048"), digest="md5"),
               words=("-cipher", "ALL:@SECLEVEL=0"))
    yield Case("P-384", OK, leaf(kind="p384"))
    yield Case("P-224", ETLS, leaf(kind="p224"), words=("-cipher", "ALL:@SECLEVEL=0"))
    yield Case("secp256k1", ETLS, leaf(kind="secp256k1"))
    yield Case("Ed25519", ETLS, leaf(kind="ed25519"))
    yield Case("a changed signature", ECERT, lambda mint: mint.forge(mint.leaf()))


CASES = [*names(), *dates_and_chains()]
