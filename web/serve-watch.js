// The live figures: /metrics is read once a second, the last two minutes are kept.

const period = 1000, kept = 120, latencyReadings = 60;
const readings = [];  // {time, values}

const whole = (value) => Math.round(value).toLocaleString('en');
const seconds = (value) => (value === null ? ['\u2013', ''] : value < 1 ? [(value * 1000).toPrecision(value < 0.1 ? 2 : 3), 'ms'] : [value.toPrecision(3), 's']);
function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, value < 1 ? 0 : Math.floor(Math.log2(value) / 10));
  return (value / 1024 ** power).toFixed(power && value / 1024 ** power < 100 ? 1 : 0) + ' ' + units[power];
}

const rate = (name) => (before, after) => growth(before.values, after.values, name) / ((after.time - before.time) / 1000);
const gauge = (name) => (_, after) => after.values[name];
const perSecond = (value) => [value < 10 ? value.toFixed(1) : whole(value), '/s'];

/** What is shown: a figure of the last second with its course, or one over the last minute. */
const tiles = [
  {title: 'Writing now', value: gauge('layerboost_requests_running'), text: (value) => [whole(value), 'sequences']},
  {title: 'Waiting', value: gauge('layerboost_requests_waiting'), text: (value) => [whole(value), 'sequences']},
  {title: 'Tokens written', value: rate('layerboost_generated_tokens_total'), text: perSecond},
  {title: 'Prompt tokens read', value: rate('layerboost_prompt_tokens_total'), text: perSecond},
  {title: 'First token, median', histogram: 'layerboost_time_to_first_token_seconds', part: 0.5, text: seconds},
  {title: 'First token, 99 %', histogram: 'layerboost_time_to_first_token_seconds', part: 0.99, text: seconds},
  {title: 'Next token, median', histogram: 'layerboost_inter_token_latency_seconds', part: 0.5, text: seconds},
  {title: 'Next token, 99 %', histogram: 'layerboost_inter_token_latency_seconds', part: 0.99, text: seconds},
];

function course(values) {
  const most = Math.max(...values, 1e-9);
  const points = values.map((value, i) => `${(i + kept - values.length).toFixed(0)},${(28 - 26 * value / most).toFixed(1)}`);
  return svg('svg', {viewBox: `0 0 ${kept - 1} 30`, preserveAspectRatio: 'none', 'aria-hidden': 'true'}, points.length > 1 && svg('path', {d: 'M' + points.join('L')}));
}

function tile(shown) {
  const last = readings[readings.length - 1];
  if (shown.histogram) {
    const first = readings[Math.max(0, readings.length - 1 - latencyReadings)];
    const [number, unit] = shown.text(quantile(first.values, last.values, shown.histogram, shown.part));
    return h('div', {}, h('dt', {}, shown.title), h('dd', {}, number, ' ', h('small', {}, unit)));
  }
  const values = readings.slice(1).map((reading, i) => shown.value(readings[i], reading) || 0);
  const [number, unit] = shown.text(values.length ? values[values.length - 1] : 0);
  return h('div', {}, h('dt', {}, shown.title), h('dd', {}, number, ' ', h('small', {}, unit)), course(values));
}

function drawCache(values) {
  const kinds = [['softmax', 'full attention'], ['window', 'windows'], ['state', 'states']];
  const limit = values.layerboost_cache_limit_bytes || 1;
  const used = (kind) => values[`layerboost_cache_used_bytes{kind="${kind}"}`] || 0;
  const total = kinds.reduce((sum, [kind]) => sum + used(kind), 0);
  const queried = values.layerboost_prefix_queried_tokens_total || 0;
  const hits = queried ? 100 * values.layerboost_prefix_hit_tokens_total / queried : 0;
  const part = (kind) => h('i', {class: kind, style: `width: ${(100 * used(kind) / limit).toFixed(2)}%`});
  byId('cache').replaceChildren(
      h('div', {class: 'bar', role: 'img', 'aria-label': `${bytes(total)} of ${bytes(limit)} in use`}, kinds.map(([kind]) => part(kind))),
      h('ul', {class: 'legend'},
          kinds.map(([kind, name]) => used(kind) > 0 && h('li', {}, h('i', {class: kind}), `${name} ${bytes(used(kind))}`)),
          h('li', {}, `${bytes(total)} of ${bytes(limit)}`),
          h('li', {}, `found again of prompts: ${hits.toFixed(0)} %`)));
}

function drawFacts(values) {
  const info = labelsOf(values, 'layerboost_info');
  byId('model').textContent = info.model || '';
  document.title = `${info.model || ''} \u00b7 layerboost`;
  const ended = (reason) => values[`layerboost_requests_finished_total{reason="${reason}"}`] || 0;
  const facts = [
    ['Layers', info.mixers],
    ['Plan', info.plan || 'none: the model as it is'],
    ['Arithmetic', info.precision],
    ['Longest text', `${whole(values.layerboost_max_positions)} tokens`],
    ['Texts ended', `${whole(ended('stop'))} by themselves, ${whole(ended('length'))} by length, ${whole(ended('abort'))} given up`],
    ['Written in all', `${whole(values.layerboost_generated_tokens_total)} tokens`],
    ['Connections', whole(values.layerboost_http_connections)],
    ['Memory', bytes(values.process_resident_memory_bytes)],
    ['Version', info.version],
  ];
  byId('facts').replaceChildren(...facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
}

async function look() {
  try {
    const answer = await fetch('/metrics', {cache: 'no-store'});
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    readings.push({time: performance.now(), values: parseMetrics(await answer.text())});
    if (readings.length > kept) readings.shift();
    const {values} = readings[readings.length - 1];
    byId('tiles').replaceChildren(...tiles.map(tile));
    drawLevels(values);
    drawCache(values);
    drawFacts(values);
    byId('state').textContent = 'live';
  } catch (error) {
    byId('state').textContent = `no answer (${error.message})`;
  }
  document.documentElement.dataset.readings = String(readings.length);
  setTimeout(look, period);
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId('theme').textContent = theme === 'dark' ? 'Light' : 'Dark';
}
setTheme(document.documentElement.dataset.theme);
byId('theme').addEventListener('click', () => setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'));
look();
