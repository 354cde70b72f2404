"""boto3's bedrock-runtime as a client of the emulator, every request signed; see providers_sdk.py."""
import json

import boto3
import botocore.config
import botocore.exceptions

MODEL = "arn:aws:bedrock:us-east-1:1:inference-profile/us.claude-x"
TOOLS = {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}]}

ERRORS = {
    "fault-400": ("ValidationException", 400),
    "fault-403": ("AccessDeniedException", 403),
    "fault-404": ("ResourceNotFoundException", 404),
    "fault-429": ("ThrottlingException", 429),
    "fault-500": ("InternalServerException", 500),
    "fault-503": ("ServiceUnavailableException", 503),
}


def client(**more):
    config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=20)
    return boto3.client("bedrock-runtime", config=config, **more)


def words(question):
    return {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": question}]}]}


def caught(run):
    try:
        run()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError("no ClientError was raised")


def converses(bedrock):
    reply = bedrock.converse(**words("scones?"), system=[{"text": "You know."}],
                             inferenceConfig={"maxTokens": 100, "temperature": 0.5})
    text = reply["output"]["message"]["content"][0]["text"]
    assert text == f"{MODEL} heard: scones?", text
    assert reply["stopReason"] == "end_turn"
    assert reply["usage"] == {"inputTokens": 3, "outputTokens": 3, "totalTokens": 6}
    events = list(bedrock.converse_stream(**words("scones?"))["stream"])
    kinds = [next(iter(event)) for event in events]
    assert kinds == ["messageStart", *["contentBlockDelta"] * 3, "contentBlockStop",
                     "messageStop", "metadata"], kinds
    assert "".join(event["contentBlockDelta"]["delta"]["text"] for event in events[1:4]) == text
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 3


def calls_a_tool(bedrock):
    reply = bedrock.converse(**words("hot scones?"), toolConfig=TOOLS)
    use = reply["output"]["message"]["content"][0]["toolUse"]
    assert reply["stopReason"] == "tool_use" and use["input"] == {"question": "hot scones?"}, use
    events = list(bedrock.converse_stream(**words("hot scones?"), toolConfig=TOOLS)["stream"])
    assert events[1]["contentBlockStart"]["start"]["toolUse"]["name"] == "look"
    pieces = [event["contentBlockDelta"]["delta"]["toolUse"]["input"]
              for event in events if "contentBlockDelta" in event]
    assert json.loads("".join(pieces)) == {"question": "hot scones?"}, pieces


def invokes(bedrock):
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100,
                       "messages": [{"role": "user", "content": "scones?"}]})
    reply = json.load(bedrock.invoke_model(modelId=MODEL, body=body)["body"])
    assert reply["content"][0]["text"] == f"{MODEL} heard: scones?"
    stream = bedrock.invoke_model_with_response_stream(modelId=MODEL, body=body)["body"]
    events = [json.loads(event["chunk"]["bytes"]) for event in stream]
    assert events[0]["type"] == "message_start" and events[-1]["type"] == "message_stop"
    text = "".join(event["delta"]["text"] for event in events
                   if event["type"] == "content_block_delta")
    assert text == reply["content"][0]["text"], text


def raises_what_it_should(bedrock):
    for question, (code, status) in ERRORS.items():
        assert caught(lambda: bedrock.converse(**words(question))) == (code, status), question
    wrong = client(aws_access_key_id="AKIDINTEROP", aws_secret_access_key="wrong")
    assert caught(lambda: wrong.converse(**words("scones?"))) == ("InvalidSignatureException", 403)
    first = {"modelId": MODEL, "messages": [{"role": "assistant", "content": [{"text": "x"}]}]}
    assert caught(lambda: bedrock.converse(**first)) == ("ValidationException", 400)
    try:
        list(bedrock.converse_stream(**words("fault-in-stream"))["stream"])
    except botocore.exceptions.EventStreamError as error:
        assert error.response["Error"]["Code"] == "throttlingException", error.response
    else:
        raise AssertionError("the stream was not broken off")


def main():
    bedrock = client()
    converses(bedrock)
    calls_a_tool(bedrock)
    invokes(bedrock)
    raises_what_it_should(bedrock)


main()
