// The official OpenAI SDK for Node as a client of the emulator; see openai_sdk.py.
import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import OpenAI from "openai";

const errors = [
  ["fault-400", OpenAI.BadRequestError, 400, null],
  ["fault-401", OpenAI.AuthenticationError, 401, "invalid_api_key"],
  ["fault-403", OpenAI.PermissionDeniedError, 403, null],
  ["fault-404", OpenAI.NotFoundError, 404, "model_not_found"],
  ["fault-409", OpenAI.ConflictError, 409, null],
  ["fault-422", OpenAI.UnprocessableEntityError, 422, null],
  ["fault-429", OpenAI.RateLimitError, 429, "rate_limit_exceeded"],
  ["fault-quota", OpenAI.RateLimitError, 429, "insufficient_quota"],
  ["fault-500", OpenAI.InternalServerError, 500, null],
  ["fault-503", OpenAI.InternalServerError, 503, null],
];

const client = new OpenAI({ timeout: 20_000, maxRetries: 2 });
const impatient = client.withOptions({ maxRetries: 0 });

function ask(from, question, more = {}) {
  const messages = [{ role: "user", content: question }];
  return from.chat.completions.create({ model: "model-a", messages, ...more });
}

async function collect(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
}

async function caught(expected, promise) {
  const error = await promise.then(() => null, (reason) => reason);
  assert(error instanceof expected, `${expected.name} was not raised, but ${error}`);
  return error;
}

// The first request is throttled, with a wait of 300 ms; the SDK heeds it and is answered.
async function retriesWhenTold() {
  const began = performance.now();
  const reply = await ask(client, "Is anybody there?");
  const took = performance.now() - began;
  assert(reply.choices[0].message.content.includes("Is anybody there?"));
  assert(took >= 295 && took < 5000, `${took} ms`); // timers of Node may be early by a little
}

async function answersWhole() {
  const reply = await ask(client, "scones?", { temperature: 0.5, max_tokens: 100 });
  assert.equal(reply.object, "chat.completion");
  const [choice] = reply.choices;
  assert.equal(choice.finish_reason, "stop");
  assert(choice.message.content.includes("scones?"));
  const { prompt_tokens: read, completion_tokens: written, total_tokens: total } = reply.usage;
  assert(read > 0 && written > 0 && total === read + written);
  return [choice.message.content, reply.usage];
}

async function answersInAStream(whole, usage) {
  const options = { stream: true, stream_options: { include_usage: true } };
  const chunks = await collect(ask(client, "scones?", options));
  const last = chunks.pop();
  assert(chunks.length > 3, "the answer came in one piece");
  assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join(""), whole);
  const reasons = chunks.map((chunk) => chunk.choices[0].finish_reason).filter(Boolean);
  assert.deepEqual(reasons, ["stop"]);
  assert.deepEqual(last.choices, []);
  assert.deepEqual(last.usage, usage);
}

// The SDK's own assembler, stricter than the loop above.
async function assemblesAStream(whole) {
  const messages = [{ role: "user", content: "scones?" }];
  const stream = client.chat.completions.stream({ model: "model-a", messages });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].message.content, whole);
  assert.equal(final.choices[0].finish_reason, "stop");
}

async function raisesWhatItShould() {
  for (const [question, expected, status, code] of errors) {
    const error = await caught(expected, ask(impatient, question));
    assert.deepEqual([error.status, error.code], [status, code], question);
    assert(error.type && error.error.message, question);
  }
  const refused = client.withOptions({ apiKey: "wrong-key-0123456789" });
  const error = await caught(OpenAI.AuthenticationError, ask(refused, "scones?"));
  assert.equal(error.code, "invalid_api_key");
  await caught(OpenAI.APIError, collect(ask(impatient, "fault-in-stream", { stream: true })));
  await caught(OpenAI.APIConnectionError, ask(impatient, "fault-reset"));
}

await retriesWhenTold();
const [whole, usage] = await answersWhole();
await answersInAStream(whole, usage);
await assemblesAStream(whole);
await raisesWhatItShould();
