// The official OpenAI client for Node.js against `layerboost serve`: chat, a stream, a stream left early, forms, tools, responses, embeddings,
// errors. See check-openai.sh.
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

const parameters = {type: 'object', properties: {city: {enum: ['Paris', 'Rome']}}, required: ['city'], additionalProperties: false};
const inForm = await client.chat.completions.parse(
  {...asked, response_format: {type: 'json_schema', json_schema: {name: 'place', strict: true, schema: parameters}}});
assert.match(JSON.parse(inForm.choices[0].message.content).city, /^(Paris|Rome)$/);
const chosen = await client.chat.completions.create({...asked, structured_outputs: {choice: ['yes', 'no']}});
assert.match(chosen.choices[0].message.content, /^(yes|no)$/);

const tools = [{type: 'function', function: {name: 'weather', strict: true, parameters}}];
const called = await client.chat.completions.create({...asked, max_completion_tokens: 100, tools, tool_choice: {type: 'function', function: {name: 'weather'}}});
assert.equal(called.choices[0].finish_reason, 'tool_calls');
assert.match(JSON.parse(called.choices[0].message.tool_calls[0].function.arguments).city, /^(Paris|Rome)$/);
// Calls the function, and goes on with what it gave.
let given = null;
const run = client.chat.completions.runTools(
  {...asked, max_completion_tokens: 100, stream: true, tool_choice: {type: 'function', function: {name: 'weather'}},
   tools: [{type: 'function', function: {name: 'weather', parameters, parse: JSON.parse, function: (place) => { given = place; return 'Rain.'; }}}]});
await run.done();
assert.match(given.city, /^(Paris|Rome)$/);
assert.equal(run.messages.at(-1).role, 'tool');

const response = await client.responses.create({model: 'smollm2-135m', temperature: 0, input: asked.messages, max_output_tokens: 40});
assert.equal(response.output_text, text);
let streamed = '';
for await (const event of await client.responses.create({model: 'smollm2-135m', temperature: 0, input: asked.messages, max_output_tokens: 40, stream: true})) {
  if (event.type === 'response.output_text.delta') streamed += event.delta;
  if (event.type === 'response.completed') assert.equal(event.response.output[0].content[0].text, text);
}
assert.equal(streamed, text);

const calling = {
  model: 'smollm2-135m', temperature: 0, input: 'The weather in Paris?', max_output_tokens: 60, parallel_tool_calls: false,
  tools: [{type: 'function', name: 'weather', strict: true, parameters}], tool_choice: 'required',
};
const call = (await client.responses.create(calling)).output[0];
assert.equal(call.type, 'function_call');
const finalResponse = await client.responses.stream(calling).finalResponse();
assert.equal(finalResponse.output[0].arguments, call.arguments);
const formed = await client.responses.parse(
  {...calling, tools: [], tool_choice: 'auto', text: {format: {type: 'json_schema', name: 'place', strict: true, schema: parameters}}});
assert.match(formed.output_parsed.city, /^(Paris|Rome)$/);

const vectors = (await client.embeddings.create({model: 'smollm2-135m', input: ['A cat.', 'A bill.']})).data;
assert.equal(vectors.length, 2);
assert.ok(Math.abs(vectors[0].embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-4);

await assert.rejects(client.chat.completions.create({...asked, temperature: -1}), (error) => error instanceof OpenAI.BadRequestError && error.param === 'temperature');
await assert.rejects(client.chat.completions.create({...asked, model: 'other'}), OpenAI.NotFoundError);
console.log('openai for Node.js: chat, streams, forms, tools, responses, embeddings, errors: as expected');
