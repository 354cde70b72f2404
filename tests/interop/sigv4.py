#!/usr/bin/env python3
"""Requests drawn from a seed, signed by us and by botocore: the same signature, or it says
where not. Runs in the interpreter that has botocore."""
import datetime
import random
import subprocess
import sys
from unittest import mock

sys.dont_write_bytecode = True
import peers  # noqa: E402

REQUESTS = 500
SEGMENTS = ["model", "a%3Ab", "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprofile%2Fus.x", "..", ".", "",
            "a b", "a+b", "~x", "%e2%82%ac", "v2:0", "converse-stream", "...", "*'()!",
            "a;b=c,d@e&f$"]
NAMES = ["a", "A", "a-b", "a%20b", "b", "%E1%88%B4"]
VALUES = ["a", "  a   b\tc  ", "", "a,b , c", "\"quoted  text\"", "application/json", " ", "x=1; y=2"]


def draw_request(rng):
    path = "/" + "/".join(rng.choice(SEGMENTS) for _ in range(rng.randrange(5)))
    query = "&".join(f"{rng.choice(NAMES)}={rng.choice(['', '1', 'x-y', '%2F'])}"
                     for _ in range(rng.randrange(4)))
    host = "bedrock-runtime.us-east-1.amazonaws.com" + rng.choice(["", ":8443"])
    headers = [("Host", host), ("Content-Type", rng.choice(VALUES))]
    headers += [(f"X-Amz-More-{i}", rng.choice(VALUES)) for i in range(rng.randrange(4))]
    headers += [("User-Agent", "any")] * rng.randrange(2)
    rng.shuffle(headers)
    return {
        "method": rng.choice(["POST", "GET"]), "path": path, "query": query, "host": host,
        "headers": headers, "body": rng.randbytes(rng.choice([0, 0, 1, 63, 64, 65, 5000])),
        "token": rng.choice(["", "token/+=" * rng.randrange(1, 90)]),
        "secret": "".join(rng.choices("abc/+", k=rng.choice([1, 40, 59, 60, 61, 200]))),
        "region": rng.choice(["us-east-1", "eu-central-2"]),
        "service": rng.choice(["bedrock", "bedrock-mantle"]),
        "unix_s": rng.randrange(0, 4102444800),
    }


def sign_by_botocore(request):
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    when = datetime.datetime.fromtimestamp(request["unix_s"], datetime.timezone.utc)
    url = f"https://{request['host']}{request['path']}"
    aws = botocore.awsrequest.AWSRequest(
        method=request["method"], url=url + ("?" + request["query"] if request["query"] else ""),
        data=request["body"], headers=dict(request["headers"]))
    credentials = botocore.credentials.Credentials("AKIDEXAMPLE", request["secret"],
                                                   request["token"] or None)
    signer = botocore.auth.SigV4Auth(credentials, request["service"], request["region"])
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: when):
        signer.add_auth(aws)
    return aws.headers["Authorization"]


def as_line(request):
    fields = ["AKIDEXAMPLE", request["secret"], request["token"], request["region"],
              request["service"], str(request["unix_s"]), request["method"], request["path"],
              request["query"], request["body"]]
    for name, value in request["headers"]:
        fields += [name, value]
    octets = (field if isinstance(field, bytes) else field.encode() for field in fields)
    return " ".join(field.hex() or "-" for field in octets)


def compare(program):
    rng = random.Random(1)
    requests = [draw_request(rng) for _ in range(REQUESTS)]
    said = subprocess.run([program], input="\n".join(map(as_line, requests)) + "\n", check=True,
                          capture_output=True, text=True).stdout.splitlines()
    checks = peers.Checks()
    checks.equal(len(said), REQUESTS, "answers")
    for request, ours in zip(requests, said):
        checks.equal(ours, sign_by_botocore(request), f"{request}")
    print(f"{REQUESTS} requests signed by botocore as well, {checks.failed} differ")
    return 1 if checks.failed else 0


def main():
    if sys.argv[1:2] == ["compare"]:
        sys.exit(compare(sys.argv[2]))
    parser = peers.options(__doc__)
    parser.add_argument("--export", required=True, help="the program that signs for us")
    options = parser.parse_args()
    sys.exit(subprocess.run([peers.need_python(options.peers), __file__, "compare", options.export],
                            timeout=300, check=False).returncode)


main()
