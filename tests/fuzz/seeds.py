#!/usr/bin/env python3
"""Makes the corpora: a folder a target, of the vectors that other tests have, of a few lines of each
format, and of corpus/, where each finding of a fuzzer has left its input.

    seeds.py HTTP1_EXPORT DATA FOLDER
"""
import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))

CHUNKS = [
    {"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]},
    {"choices": [{"index": 0, "delta": {"content": "Déjà \U0001f600"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, "id": "t", "function": {"name": "f", "arguments": "{\"a\""}}]}}]},
    {"choices": [{"index": 0, "delta": {"refusal": "No."}, "finish_reason": "content_filter"}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}},
    {"error": {"message": "overloaded", "type": "server_error", "code": 529}},
]
ERRORS = [
    '{"error":{"message":"m","type":"t","code":"rate_limit_exceeded","param":null}}',
    '{"error":"m"}', '{"error_code":"BAD_REQUEST","message":"m"}', '[{"error":{"code":400}}]',
    '{"errorCode":"E","errorSummary":"s"}', '{"detail":[{"loc":["a"],"msg":"m"}]}',
    '{"object":"error","message":"m"}', "CODE: message", "<html><title>502</title></html>", "",
    '{"error":"invalid_client","error_description":"d"}',
]
YAML = """models:
  oracle: {endpoint: o, instruction: "You know.", temperature: 0.9, max_tokens: 500, stop: [a, b]}
  judge:
    endpoint: j
    instruction: >
      You judge.
configuration: {user_response_instruction: Better?, history: first, caller_params: final}
providers:
  default: {type: databricks, base_url: 'https://host.test', api_key: env:TOKEN,
            requests_per_minute: 600, input_tokens_per_minute: 80k, concurrency: auto}
  other: {type: openai, base_url: env:HOST, api_key: env:KEY, retry: {unknown: fail}}
flow: [oracle, judge]
"""
ROWS = [
    '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":'
    '[{"role":"user","content":"q"}],"temperature":1}}\n',
    '{"custom_id":"a","params":{"model":"m","max_tokens":9,"system":"s","messages":'
    '[{"role":"user","content":[{"type":"text","text":"q"}]}]}}\n',
    '{"recordId":"a","modelInput":{"messages":[{"role":"user","content":"q"}]}}\n',
    '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"n":1}\n',
    '{"id":7,"question":"q","answer":"known"}\n{"id":"7","prompt":"p","more":[1,{"a":null}]}\n',
    '{"inputs":{"question":"q"},"expectations":{"answer":"a"}}\n',
    '{"question_id":81,"category":"writing","turns":["q","r"]}\n',
    'id,question,more\na,"q, with ""quotes""\nand a line",1\nb,q,\n',
]
ANSWERED = ('{"id":"r1","answer":"a","finish_reason":"stop","model":"j","usage":{"input_tokens":5,'
            '"output_tokens":5,"total_tokens":10},"moot":{"line":1,"calls":2,"retries":0,'
            '"possible_duplicate":false,"input_tokens":5,"output_tokens":5,"took_us":9,'
            '"waited_us":0}}\n')
FAILED = ('{"id":"r2","error":{"code":"provider","message":"m"},"moot":{"line":2,"calls":1,'
          '"retries":0,"error":"EPROVIDER"}}\n')
CALL = '{"id":"r3","step":0,"role":"oracle","text":"t","finish_reason":"stop","usage":{}}\n'
CALLS = "".join(
    f'{{"id":"r3","step":{step},"role":"oracle","endpoint":"e","model":"m","text":"t{step}",'
    '"finish_reason":"stop","attempts":1,"possible_duplicate":true,"usage":{"input_tokens":1,'
    '"output_tokens":2,"total_tokens":3,"reasoning_tokens":1,"cached_tokens":0}}\n'
    for step in (0, 1, 3, 1, 2))
HINTS = """retry-after: 12
retry-after: Wed, 21 Oct 2026 07:28:00 GMT
retry-after-ms: 1500.5
x-ratelimit-limit-requests: 600
x-ratelimit-remaining-requests: 599
x-ratelimit-reset-requests: 6m0.5s
x-ratelimit-reset-tokens: 20ms
anthropic-ratelimit-tokens-reset: 2026-11-22T10:00:00Z
ratelimit: "default";r=50;t=30
ratelimit-policy: "burst";q=100;w=60,"day";q=1000;w=86400
x-ratelimit-reset: 1795385656123
"""
URLS = ["https://api.openai.com/v1", "http://127.0.0.1:8080", "http://[::1]:80/a%20b?c=d",
        "http://user:pa%40ss@proxy.test:3128", "https://EXAMPLE.test.:443/", "http://0x7f.1/",
        "http://a/\\@b", "localhost,.test,10.0.0.1:443,*"]


def http1(export):
    """One input a vector; the first byte is what the parser is told, see fuzz_http1.c."""
    told = {"POST": 0, "HEAD": 2, "CONNECT": 4}
    lines = subprocess.run([export], check=True, capture_output=True, text=True).stdout
    for line in lines.splitlines():
        vector = json.loads(line)
        yield bytes([told[vector["method"]]]) + bytes.fromhex(vector["bytes"])
    for request in requests():
        yield b"\x01" + request


def requests():
    body = json.dumps({"messages": [{"role": "user", "content": "q"}], "stream": True}).encode()
    head = b"POST /serving-endpoints/m/invocations HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key"
    yield head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    yield (head + b"\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n%x;e=1\r\n" %
           len(body) + body + b"\r\n0\r\nT: 1\r\n\r\n")
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "q"}], "n": 1,
                       "max_tokens": 3}).encode()
    yield (b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" %
           len(body) + body)
    yield b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n"
    claude = {"max_tokens": 3, "messages": [{"role": "user", "content": "q"}]}
    converse = {"messages": [{"role": "user", "content": [{"text": "q"}]}],
                "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}]}}
    signed = (b"Authorization: AWS4-HMAC-SHA256 Credential=AKID/20251129/us-east-1/bedrock/"
              b"aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n"
              b"X-Amz-Date: 20251129T000000Z\r\n")
    for path, head, body in [
            (b"/v1/messages", b"anthropic-version: 1\r\nx-api-key: key\r\n",
             {**claude, "model": "m", "stream": True,
              "tools": [{"name": "f", "input_schema": {}}]}),
            (b"/model/m/invoke-with-response-stream", b"Authorization: Bearer key\r\n",
             {**claude, "anthropic_version": "bedrock-2023-05-31"}),
            (b"/model/m%3A0/converse-stream", signed, converse),
            (b"/model/m/converse", b"Authorization: Bearer key\r\n", converse),
            (b"/openai/deployments/d/chat/completions?api-version=1", b"api-key: key\r\n",
             {"messages": [{"role": "user", "content": "q"}], "stream": True,
              "tools": [{"function": {"name": "f"}}]})]:
        body = json.dumps(body).encode()
        yield (b"POST %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n" %
               (path, head, len(body)) + body)
    body = b"grant_type=client_credentials&scope=all-apis"
    yield (b"POST /oidc/v1/token HTTP/1.1\r\nHost: a\r\nAuthorization: Basic bWU6eA==\r\n"
           b"Content-Length: %d\r\n\r\n" % len(body) + body)


def streams():
    def said(chunks, end="\n\n", done=True):
        text = "".join(f"data: {json.dumps(chunk, ensure_ascii=bool(i % 2))}{end}"
                       for i, chunk in enumerate(chunks))
        return (text + ("data: [DONE]" + end if done else "")).encode()
    yield said(CHUNKS[:2] + CHUNKS[4:6])
    yield said(CHUNKS[:3] + CHUNKS[4:5], "\r\n\r\n")
    yield said(CHUNKS[:2] + CHUNKS[3:4], "\r\r", False)
    yield said(CHUNKS[:2] + CHUNKS[6:])
    yield ('data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n'
           'data: {"choices":[{"index":0,"delta":{"content":"\\ude00"},"finish_reason":"length"}]}'
           '\n\n').encode()
    yield b'\xef\xbb\xbf: ping\nevent: error\ndata: {"error":{"message":"m"}}\nid: 1\nretry: 9\n\n'
    yield b'{"error":{"message":"m"}}\n\ndata\ndata: a\ndata:b\n\nerror: x\n\n'


def header(name, value, kind=7):
    length = struct.pack(">H", len(value)) if kind in (6, 7) else b""
    return bytes([len(name)]) + name + bytes([kind]) + length + value


def message(headers, payload=b""):
    lengths = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    prelude = lengths + struct.pack(">I", zlib.crc32(lengths))
    return prelude + headers + payload + struct.pack(">I", zlib.crc32(prelude + headers + payload))


def event_messages():
    """Whole streams, and headers alone."""
    of_json = header(b":content-type", b"application/json")
    said = [
        header(b":event-type", b"messageStop") + of_json + header(b":message-type", b"event"),
        header(b":exception-type", b"throttlingException") + of_json +
        header(b":message-type", b"exception"),
        header(b":message-type", b"error") + header(b":error-code", b"InternalError") +
        header(b":error-message", b"boom"),
        b"".join(header(b"%d" % kind, bytes(size), kind)
                 for kind, size in enumerate([0, 0, 1, 2, 4, 8, 3, 3, 8, 16])),
    ]
    yield from said
    yield message(b"")
    yield from (message(headers, b'{"stopReason":"end_turn"}') for headers in said)
    yield b"".join(message(headers) for headers in said)


def replies():
    for chunk in CHUNKS[:5]:
        yield json.dumps({"id": "i", "model": "m", "choices": [
            {"index": 0, "message": chunk["choices"][0]["delta"], "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2}}).encode()
    yield from (error.encode() for error in ERRORS)


def json_texts(data):
    folder = os.path.join(data, "json_test_suite", "test_parsing")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), "rb") as file:
            yield file.read()
    yield from (json.dumps(chunk).encode() for chunk in CHUNKS)


def with_byte(values, inputs):
    return (bytes([value]) + data for data in inputs for value in values)


def configs(data):
    yield b"\x00" + YAML.encode()
    path = os.path.join(data, "golden", "model_config.json")
    if os.path.exists(path):
        with open(path, "rb") as file:
            yield b"\x01" + file.read()
    yield b"\x01" + json.dumps({"models": {"oracle": {"endpoint": "o", "instruction": "i"},
                                           "judge": {"endpoint": "j", "instruction": "i"}}}).encode()


def corpora(export, data):
    rows = [row.encode() for row in ROWS]
    packed = [gzip.compress(row, mtime=0) for row in rows]
    return {
        "config": configs(data),
        "emulator": with_byte([0, 1, 15], requests()),
        "eventstream": event_messages(),
        "gzip": [b"\x00" + p for p in packed] + [b"\x01" + zlib.compress(r) for r in rows] +
                [b"\x00" + gzip.compress(bytes(1 << 16), mtime=0)],
        "hints": [line.encode() for line in HINTS.splitlines()] + [HINTS.encode()],
        "http1": http1(export),
        "json": json_texts(data),
        "lines": with_byte([0, 1], rows + packed),
        "reply": with_byte([0x70, 1, 0xd0], replies()),
        "resume": [b"\x00" + ANSWERED.encode() * 2, b"\x00" + ANSWERED.encode()[:-9],
                   b"\x01" + FAILED.encode(), b"\x02" + CALL.encode(), b"\x02" + CALLS.encode(),
                   b"\x02" + CALLS.encode() + CALL.replace("r3", "r4").encode() * 3, b"\x03{\"input\":{}}\n"],
        "row": rows,
        "sse": streams(),
        "stream": with_byte([0, 1], streams()),
        "url": with_byte([0, 1], (url.encode() for url in URLS)),
        "utf8": ["Déjà \U0001f600 ￿".encode(), b"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80",
                 b"\xd8\x3d\xde\x00\xd8\x3d\x00A"],
    }


def main():
    export, data, folder = sys.argv[1:]
    shutil.rmtree(folder, ignore_errors=True)
    for target, inputs in corpora(export, data).items():
        os.makedirs(os.path.join(folder, target))
        for i, content in enumerate(inputs):
            with open(os.path.join(folder, target, f"seed-{i:03}"), "wb") as file:
                file.write(content)
        found = os.path.join(HERE, "corpus", target)
        for name in sorted(os.listdir(found)) if os.path.isdir(found) else []:
            shutil.copy(os.path.join(found, name), os.path.join(folder, target, name))


if __name__ == "__main__":
    main()
