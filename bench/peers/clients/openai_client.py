"""The same conversations as moot's with the official SDK, as its users run it today: one process,
asyncio, the SDK's own connection pool.

    openai_client.py [--stream] [--ca FILE] URL AT_ONCE COUNT

Prints {"conversations":N,"events":N}; any failure ends it with a traceback."""
import argparse
import asyncio
import json
import ssl

import openai

QUESTION = ("Compose an engaging travel blog post about a recent trip to Hawaii, highlighting "
            "cultural experiences and must-see attractions.")
ORACLE = "You are a knowledgeable source of information that excels."
JUDGE = "You are an evaluator of answers provided by others."
AGAIN = "Can you make the answer better?"


class Asker:
    def __init__(self, options):
        self.left, self.stream, self.events = options.count, options.stream, 0
        more = {}
        if options.ca:
            context = ssl.create_default_context(cafile=options.ca)
            more["http_client"] = openai.DefaultAsyncHttpxClient(verify=context)
        self.client = openai.AsyncOpenAI(base_url=f"{options.url}/v1", api_key="a-key-of-no-value",
                                         max_retries=0, **more)

    async def call(self, model, temperature, max_tokens, *messages):
        asked = {"model": model, "temperature": temperature, "max_tokens": max_tokens,
                 "messages": [{"role": role, "content": content} for role, content in messages]}
        if not self.stream:
            reply = await self.client.chat.completions.create(**asked)
            return reply.choices[0].message.content
        text = []
        async for chunk in await self.client.chat.completions.create(stream=True, **asked):
            self.events += 1
            if chunk.choices:
                text.append(chunk.choices[0].delta.content or "")
        return "".join(text)

    async def work(self):
        while self.left > 0:
            self.left -= 1
            answer = await self.call("oracle", 0.9, 5000, ("system", ORACLE), ("user", QUESTION))
            await self.call("judge", 0.5, 2000, ("system", JUDGE), ("user", QUESTION),
                            ("assistant", answer), ("user", AGAIN))


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("at_once", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--ca")
    options = parser.parse_args()
    asker = Asker(options)
    await asyncio.gather(*(asker.work() for _ in range(options.at_once)))
    print(json.dumps({"conversations": options.count, "events": asker.events}))


asyncio.run(main())
