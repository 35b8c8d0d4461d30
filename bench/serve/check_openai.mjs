// The official OpenAI client for Node.js against `layerboost serve`: chat, a stream, a stream left early, an error. See check-openai.sh.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const [url, key] = process.argv.slice(2);
const client = new OpenAI({baseURL: url + '/v1', apiKey: key, maxRetries: 0});
const asked = {
  model: 'smollm2-135m', temperature: 0, max_completion_tokens: 40,
  messages: [{role: 'user', content: 'What is the capital of France? Answer in one sentence.'}],
};

const whole = await client.chat.completions.create(asked);
assert.match(whole.choices[0].message.content, /Paris/);
assert.equal(whole.choices[0].finish_reason, 'stop');

let text = '';
let usage = null;
for await (const piece of await client.chat.completions.create({...asked, stream: true, stream_options: {include_usage: true}})) {
  text += piece.choices[0]?.delta.content ?? '';
  usage = piece.usage ?? usage;
}
assert.equal(text, whole.choices[0].message.content);
assert.deepEqual([usage.prompt_tokens, usage.completion_tokens], [whole.usage.prompt_tokens, whole.usage.completion_tokens]);

const final = await client.chat.completions.stream({...asked, stream: true}).finalChatCompletion();
assert.equal(final.choices[0].message.content, text);

const left = await client.completions.create({model: 'smollm2-135m', prompt: 'Once', max_tokens: 2000, stream: true});
for await (const _ of left) break;

const response = await client.responses.create({model: 'smollm2-135m', temperature: 0, input: asked.messages, max_output_tokens: 40});
assert.equal(response.output_text, text);
let streamed = '';
for await (const event of await client.responses.create({model: 'smollm2-135m', temperature: 0, input: asked.messages, max_output_tokens: 40, stream: true})) {
  if (event.type === 'response.output_text.delta') streamed += event.delta;
  if (event.type === 'response.completed') assert.equal(event.response.output[0].content[0].text, text);
}
assert.equal(streamed, text);

const vectors = (await client.embeddings.create({model: 'smollm2-135m', input: ['A cat.', 'A bill.']})).data;
assert.equal(vectors.length, 2);
assert.ok(Math.abs(vectors[0].embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-4);

await assert.rejects(client.chat.completions.create({...asked, temperature: -1}), (error) => error instanceof OpenAI.BadRequestError && error.param === 'temperature');
await assert.rejects(client.chat.completions.create({...asked, model: 'other'}), OpenAI.NotFoundError);
console.log('openai for Node.js: chat, responses, streams, embeddings, errors: as expected');
