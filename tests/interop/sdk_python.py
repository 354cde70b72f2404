"""The official OpenAI SDK for Python as a client of the emulator; see openai_sdk.py."""
import time

import openai

ERRORS = {
    "fault-400": (openai.BadRequestError, 400, None),
    "fault-401": (openai.AuthenticationError, 401, "invalid_api_key"),
    "fault-403": (openai.PermissionDeniedError, 403, None),
    "fault-404": (openai.NotFoundError, 404, "model_not_found"),
    "fault-409": (openai.ConflictError, 409, None),
    "fault-422": (openai.UnprocessableEntityError, 422, None),
    "fault-429": (openai.RateLimitError, 429, "rate_limit_exceeded"),
    "fault-quota": (openai.RateLimitError, 429, "insufficient_quota"),
    "fault-500": (openai.InternalServerError, 500, None),
    "fault-503": (openai.InternalServerError, 503, None),
}


def ask(client, question, **more):
    return client.chat.completions.create(
        model="model-a", messages=[{"role": "user", "content": question}], **more)


def caught(expected, run):
    try:
        run()
    except expected as error:
        return error
    raise AssertionError(f"{expected.__name__} was not raised")


def retries_when_told(client):
    """The first request is throttled, with a wait of 300 ms; the SDK heeds it and is answered."""
    began = time.monotonic()
    reply = ask(client, "Is anybody there?")
    took = time.monotonic() - began
    assert "Is anybody there?" in reply.choices[0].message.content
    assert 0.3 <= took < 5, took


def answers_whole(client):
    reply = ask(client, "scones?", temperature=0.5, max_tokens=100)
    assert reply.object == "chat.completion" and reply.id and reply.created > 0
    assert reply.model == "model-a"
    (choice,) = reply.choices
    assert (choice.index, choice.finish_reason) == (0, "stop")
    assert choice.message.role == "assistant" and "scones?" in choice.message.content
    usage = reply.usage
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    return choice.message.content, usage


def answers_in_a_stream(client, whole, usage_of_whole):
    chunks = list(ask(client, "scones?", stream=True, stream_options={"include_usage": True}))
    *talk, last = chunks
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1
    assert talk[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in talk)
    assert text == whole, (text, whole)
    assert len(talk) > 3, "the answer came in one piece"
    assert [c.choices[0].finish_reason for c in talk if c.choices[0].finish_reason] == ["stop"]
    assert all(chunk.usage is None for chunk in talk)
    assert last.choices == [] and last.usage == usage_of_whole
    assert all(chunk.usage is None for chunk in ask(client, "scones?", stream=True))


def assembles_a_stream(client, whole):
    """The SDK's own assembler, stricter than the loop above."""
    with client.chat.completions.stream(
            model="model-a", messages=[{"role": "user", "content": "scones?"}]) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == whole
    assert final.choices[0].finish_reason == "stop"


def raises_what_it_should(client):
    impatient = client.with_options(max_retries=0)
    for question, (expected, status, code) in ERRORS.items():
        error = caught(expected, lambda: ask(impatient, question))
        assert (error.status_code, error.code) == (status, code), (question, error.code)
        assert error.type and error.body["message"], question
    refused = client.with_options(api_key="wrong-key-0123456789")
    error = caught(openai.AuthenticationError, lambda: ask(refused, "scones?"))
    assert error.code == "invalid_api_key"
    cut = caught(openai.APIError, lambda: list(ask(impatient, "fault-in-stream", stream=True)))
    assert not isinstance(cut, openai.APIStatusError) and cut.message
    caught(openai.APIConnectionError, lambda: ask(impatient, "fault-reset"))


def main():
    with openai.OpenAI(timeout=20, max_retries=2) as client:
        retries_when_told(client)
        whole, usage = answers_whole(client)
        answers_in_a_stream(client, whole, usage)
        assembles_a_stream(client, whole)
        raises_what_it_should(client)
        models = list(client.models.list())
        assert models and all(model.object == "model" for model in models)


main()
