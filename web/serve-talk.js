// Talking to the model: /v1/chat/completions, streamed. The conversation is kept in the page only.

const conversation = [];
let asking = null;  // the AbortController of the request under way

const say = (text) => { byId('said').textContent = text; };

function show(role, text) {
  const item = h('li', {class: role}, text);
  byId('messages').append(item);
  item.scrollIntoView({block: 'nearest'});
  return item;
}

/** The JSON of each event of a stream, until [DONE]. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const lines = (text + value).split('\n');
    text = lines.pop();
    for (const line of lines) {
      if (line === 'data: [DONE]') return;
      if (line.startsWith('data: ')) yield JSON.parse(line.slice(6));
    }
  }
}

const authorization = () => byId('key').value ? {Authorization: 'Bearer ' + byId('key').value} : {};

/** Says what levels there are, and how the server samples what isn't said here. Where the model's makers have a temperature of their own in mind, none is sent unless somebody types one. */
async function showModel() {
  const response = await fetch('/v1/models', {headers: authorization()});
  if (!response.ok) return;  // the key is missing yet
  const model = (await response.json()).data[0];
  if (!ladder) showLadder(model);
  const {from, ...sampling} = model.sampling;
  const temperature = byId('temperature');
  if (from === 'model' && temperature.value === temperature.defaultValue) temperature.value = '';
  temperature.placeholder = sampling.temperature;
  const words = Object.entries(sampling).map(([name, value]) => `${name} ${value}`).join(', ');
  byId('sampling').textContent = `Where nothing is said, ${from === 'model' ? 'as the model\u2019s makers mean it' : 'the server\u2019s'}: ${words}`;
}

function request() {
  const system = byId('system').value.trim();
  const headers = {'Content-Type': 'application/json', ...authorization()};
  const temperature = byId('temperature').value, level = byId('level').value;
  const body = {
    messages: [...(system ? [{role: 'system', content: system}] : []), ...conversation],
    stream: true, stream_options: {include_usage: true},
    layerboost: level === '' ? undefined : {level: Number(level)},
    temperature: temperature === '' ? undefined : Number(temperature), max_completion_tokens: Number(byId('most').value),
  };
  return {method: 'POST', headers, body: JSON.stringify(body), signal: asking.signal};
}

async function answer(item) {
  const start = performance.now();
  const response = await fetch('/v1/chat/completions', request());
  if (!response.ok) throw new Error((await response.json()).error.message);
  let [text, first, usage] = ['', null, null];
  for await (const event of events(response.body)) {
    if (event.usage) usage = event.usage;
    const piece = event.choices[0]?.delta.content;
    if (!piece) continue;
    first = first ?? performance.now();
    text += piece;
    item.textContent = text;
    conversation[conversation.length - 1].content = text;
  }
  if (usage?.layerboost) item.append(levelMark(usage.layerboost));
  const tokens = usage ? usage.completion_tokens : 0;
  const speed = first && tokens > 1 ? `, ${(1000 * (tokens - 1) / (performance.now() - first)).toFixed(1)} tokens/s` : '';
  say(`${tokens} tokens; the first after ${((first ?? performance.now()) - start).toFixed(0)} ms${speed}`);
}

async function ask(words) {
  conversation.push({role: 'user', content: words});
  show('user', words);
  const item = show('assistant writing', '');
  asking = new AbortController();
  setAsking(true);
  say('');
  conversation.push({role: 'assistant', content: ''});
  try {
    await answer(item);
  } catch (error) {
    if (error.name === 'AbortError') say('stopped');
    else show('error', error.message);
  }
  if (!conversation[conversation.length - 1]?.content) {  // nothing was said: ask again as if it had never been asked
    conversation.splice(-2);
    item.remove();
  }
  item.className = 'assistant';
  setAsking(false);
}

function setAsking(busy) {
  byId('send').disabled = busy;
  byId('stop').hidden = !busy;
  if (!busy) asking = null;
}

byId('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  const words = byId('words').value.trim();
  if (!words || asking) return;
  byId('words').value = '';
  ask(words);
});
byId('words').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId('ask').requestSubmit();
});
byId('stop').addEventListener('click', () => asking?.abort());
byId('clear').addEventListener('click', () => {
  asking?.abort();
  conversation.length = 0;
  byId('messages').replaceChildren();
  say('');
});
byId('key').addEventListener('change', () => showModel().catch(() => {}));
showModel().catch(() => {});
