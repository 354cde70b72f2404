"""The official Anthropic SDK for Python as a client of the emulator; see providers_sdk.py."""
import anthropic

TOOL = {"name": "look", "description": "Look it up.",
        "input_schema": {"type": "object", "properties": {"question": {"type": "string"}}}}

ERRORS = {
    "fault-400": (anthropic.BadRequestError, 400, "invalid_request_error"),
    "fault-401": (anthropic.AuthenticationError, 401, "authentication_error"),
    "fault-403": (anthropic.PermissionDeniedError, 403, "permission_error"),
    "fault-404": (anthropic.NotFoundError, 404, "not_found_error"),
    "fault-429": (anthropic.RateLimitError, 429, "rate_limit_error"),
    "fault-500": (anthropic.InternalServerError, 500, "api_error"),
    "fault-529": (anthropic.APIStatusError, 529, "overloaded_error"),
}


def ask(client, question, **more):
    return client.messages.create(model="claude-x", max_tokens=100, **more,
                                  messages=[{"role": "user", "content": question}])


def caught(expected, run):
    try:
        run()
    except expected as error:
        return error
    raise AssertionError(f"{expected.__name__} was not raised")


def answers_whole(client):
    reply = ask(client, "scones?", system="You know.")
    (block,) = reply.content
    assert (reply.type, reply.role, reply.model) == ("message", "assistant", "claude-x")
    assert (block.type, reply.stop_reason) == ("text", "end_turn")
    assert block.text == "claude-x heard: scones?", block.text
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (3, 3), reply.usage
    assert ask(client, "scones?").usage.input_tokens == 1
    return block.text


def answers_in_a_stream(client, whole):
    with client.messages.stream(model="claude-x", max_tokens=100,
                                messages=[{"role": "user", "content": "scones?"}]) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == whole and len(pieces) == 3, pieces
    assert final.content[0].text == whole and final.stop_reason == "end_turn"
    assert final.usage.output_tokens == 3
    kinds = [event.type for event in ask(client, "scones?", stream=True)]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop", kinds


def calls_a_tool(client):
    reply = ask(client, "scones?", tools=[TOOL])
    (block,) = reply.content
    assert (reply.stop_reason, block.type, block.name) == ("tool_use", "tool_use", "look")
    assert block.input == {"question": "scones?"}, block.input
    with client.messages.stream(model="claude-x", max_tokens=100, tools=[TOOL],
                                messages=[{"role": "user", "content": "hot scones?"}]) as stream:
        (block,) = stream.get_final_message().content
    assert block.input == {"question": "hot scones?"}, block.input
    result = {"type": "tool_result", "tool_use_id": block.id, "content": "yes"}
    reply = client.messages.create(
        model="claude-x", max_tokens=100, tools=[TOOL],
        messages=[{"role": "user", "content": "scones?"},
                  {"role": "assistant", "content": [block.model_dump(include={
                      "type", "id", "name", "input"})]},
                  {"role": "user", "content": [result]}])
    assert reply.stop_reason == "end_turn"


def raises_what_it_should(client):
    for question, (expected, status, kind) in ERRORS.items():
        error = caught(expected, lambda: ask(client, question))
        assert (error.status_code, error.body["error"]["type"]) == (status, kind), question
        assert error.request_id.startswith("req-"), question
    refused = client.with_options(api_key="wrong-key-0123456789")
    caught(anthropic.AuthenticationError, lambda: ask(refused, "scones?"))
    error = caught(anthropic.BadRequestError, lambda: client.messages.create(
        model="claude-x", max_tokens=9, messages=[{"role": "assistant", "content": "x"}]))
    assert "first message must use" in error.message, error.message
    cut = caught(anthropic.APIError, lambda: list(ask(client, "fault-in-stream", stream=True)))
    assert "overloaded" in str(cut.body), cut.body


def main():
    with anthropic.Anthropic(timeout=20, max_retries=0) as client:
        whole = answers_whole(client)
        answers_in_a_stream(client, whole)
        calls_a_tool(client)
        raises_what_it_should(client)


main()
