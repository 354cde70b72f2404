"""openai-python's Azure client as a client of the emulator; see providers_sdk.py."""
import json

import openai

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}

ERRORS = {
    "fault-400": (openai.BadRequestError, 400, "400"),
    "fault-401": (openai.AuthenticationError, 401, "401"),
    "fault-404": (openai.NotFoundError, 404, "DeploymentNotFound"),
    "fault-429": (openai.RateLimitError, 429, "429"),
    "fault-500": (openai.InternalServerError, 500, "500"),
}


def ask(client, question, **more):
    return client.chat.completions.create(
        model="gpt-x", messages=[{"role": "user", "content": question}], **more)


def caught(expected, run):
    try:
        run()
    except expected as error:
        return error
    raise AssertionError(f"{expected.__name__} was not raised")


def answers(client):
    reply = ask(client, "scones?")
    assert reply.choices[0].message.content == "gpt-x heard: scones?"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (1, 3)
    chunks = list(ask(client, "scones?", stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices == [] and chunks[0].id == "" and chunks[0].prompt_filter_results
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "gpt-x heard: scones?", text
    assert chunks[-1].usage == reply.usage


def calls_a_tool(client):
    reply = ask(client, "hot scones?", tools=[TOOL])
    (call,) = reply.choices[0].message.tool_calls
    assert reply.choices[0].finish_reason == "tool_calls" and call.function.name == "look"
    assert json.loads(call.function.arguments) == {"question": "hot scones?"}
    pieces, names = [], []
    for chunk in ask(client, "hot scones?", tools=[TOOL], stream=True):
        for call in (call for choice in chunk.choices for call in choice.delta.tool_calls or []):
            pieces.append(call.function.arguments)
            names += [call.function.name] if call.function.name else []
    assert names == ["look"] and json.loads("".join(pieces)) == {"question": "hot scones?"}, pieces


def raises_what_it_should(client):
    for question, (expected, status, code) in ERRORS.items():
        error = caught(expected, lambda: ask(client, question))
        assert (error.status_code, error.code) == (status, code), (question, error.code)
    refused = client.with_options(api_key="wrong-key-0123456789")
    caught(openai.AuthenticationError, lambda: ask(refused, "scones?"))
    caught(openai.APIError, lambda: list(ask(client, "fault-in-stream", stream=True)))


def main():
    with openai.AzureOpenAI(timeout=20, max_retries=0) as client:
        answers(client)
        calls_a_tool(client)
        raises_what_it_should(client)


main()
