// What was won: tokens per second and memory, against readers and the length of the text.

const phases = {
  speed_tg: {label: 'Writing', axis: 'tokens a second, written'},
  speed_pp: {label: 'Reading', axis: 'tokens a second, read'},
  speed: {label: 'Both', axis: 'tokens a second, read and written'},
};

const sorted = (values) => [...new Set(values)].sort((a, b) => a - b);

/** A line per state of the model, over the categories `xs`; value(row) of the row that match(x) finds. */
function stateLines(states, xs, match, value) {
  return states.map(({name, result}, index) => {
    const look = stateLook(name, index);
    const data = xs.map((x) => {
      const row = result.rows.find(match(x));
      return row ? value(row) : null;
    });
    return {
      label: stateName(name), data, borderColor: colour(look.colour), backgroundColor: colour(look.colour), borderWidth: 2,
      borderDash: look.dash, pointStyle: look.point, pointRadius: 4, pointHoverRadius: 6, spanGaps: true,
    };
  });
}

/** Tooltip lines: the value, and its ratio to the first dataset's. */
function compareLabel(text) {
  return (item) => {
    const first = item.chart.data.datasets[0].data[item.dataIndex];
    const own = item.dataset.data[item.dataIndex];
    const ratio = item.datasetIndex && first && !item.dataset.alone ? ` (${decimal(own / first, 2)}\u00d7)` : '';
    return `${item.dataset.label}: ${text(own)}${ratio}`;
  };
}

function lineChart(xs, datasets, xTitle, yTitle, text, label) {
  return {
    type: 'line', label, data: {labels: xs.map((x) => decimal(x)), datasets},
    scales: {x: axis(xTitle), y: axis(yTitle, {beginAtZero: true, ticks: {callback: (v) => text(v), maxTicksLimit: 6}})},
    plugins: {tooltip: {callbacks: {label: compareLabel(text)}, mode: 'index'}},
  };
}

/** 'as it was 124 to 569; with the plan 146 to 866': for those who don't see the chart. */
function inWords(datasets, text) {
  const range = (data) => `${text(data[0])} to ${text(data[data.length - 1])}`;
  return datasets.map(({label, data}) => `${label} ${range(data)}`).join('; ');
}

function throughputChart(states, readers, choice) {
  const {phase, prompt} = choice;
  const datasets = stateLines(states, readers, (pl) => (row) => row.pl === pl && row.pp === prompt, (row) => row[phase]);
  return lineChart(readers, datasets, 'readers at the same time', phases[phase].axis, decimal,
      `Tokens a second against readers: ${inWords(datasets, decimal)}`);
}

function memoryChart(states, readers, choice) {
  const lines = stateLines(states, readers, (pl) => (row) => row.pl === pl && row.pp === choice.prompt, (row) => row.cache_bytes);
  const datasets = lines.map((line) => ({...line, type: 'bar', borderWidth: 0, pointStyle: 'rect', maxBarThickness: 34}));
  const weights = states[0].result.weights_bytes;
  if (isNumber(weights)) {
    datasets.push({
      type: 'line', label: 'the model\u2019s weights', data: readers.map(() => weights), borderColor: colour('--ink'),
      backgroundColor: colour('--ink'), borderWidth: 1, borderDash: [2, 4], pointRadius: 0, pointStyle: 'line', alone: true,
    });
  }
  const chart = lineChart(readers, datasets, 'readers at the same time', 'memory of the cache', bytes,
      `Memory of the cache against readers: ${inWords(datasets, bytes)}`);
  return {...chart, type: 'bar'};
}

function lengthChart(states, prompts, readers, choice) {
  const datasets = stateLines(states, prompts, (pp) => (row) => row.pp === pp && row.pl === readers, (row) => row[choice.phase]);
  return lineChart(prompts, datasets, 'tokens in the text', phases[choice.phase].axis, decimal,
      `Tokens a second against length for ${readers} readers: ${inWords(datasets, decimal)}`);
}

/** Bytes of cache of one reader after `length` tokens, keys and values at two bytes a number. `besides`: what layers keep
    beside these, as the report's beside_tokens. */
function cacheOfReader(model, mixers, besides, length) {
  const perToken = 2 * 2 * model.kv_heads * model.head_size;
  const tokens = mixers.reduce((sum, mixer) => sum + perToken * mixerKeeps(mixer, length), 0);
  return besides.reduce((sum, kept) => sum + (kept && length >= kept.from ? kept.bytes : 0), tokens);
}

/** How long a text may be: the model's positions, or what was measured where they aren't known; 32,768 at most. */
function longestText({boost, speed, quality}) {
  const measured = [...speed.flatMap(({result}) => result.rows.map((row) => row.pp + row.tg)),
    ...quality.flatMap(({result}) => [...(result.passkey || []), ...(result.retrieval || [])].map((row) => row.length))].filter(isNumber);
  return Math.min(32768, boost.model.positions || Math.max(2048, ...measured));
}

/** The model's own mixers, which keep keys and values only. */
function unchangedMixers({analysis, plan}) {
  const windows = analysis.model.windows || [];
  return plan.layers.map((_, layer) => parseMixer(windows[layer] ? `window:${windows[layer]}` : 'softmax'));
}

function readerChart(report) {
  const {model} = report.analysis;
  const mixers = report.plan.layers.map(mixerOfEntry);
  const unchanged = unchangedMixers(report);
  const longest = longestText(report);
  const lengths = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((step) => Math.round(longest * step / 8));
  const line = (name, index, list, besides) => {
    const look = stateLook(name, index);
    return {
      label: stateName(name), data: lengths.map((length) => cacheOfReader(model, list, besides, length)), borderColor: colour(look.colour),
      backgroundColor: colour(look.colour), borderWidth: 2, borderDash: look.dash, pointStyle: look.point, pointRadius: 3,
    };
  };
  const datasets = [line('base', 0, unchanged, []), line('plan', 1, mixers, report.beside_tokens)];
  return lineChart(lengths, datasets, 'tokens in the text', 'memory of the cache', bytes,
      `Memory of one reader against length: ${inWords(datasets, bytes)}`);
}

function speedNumbers(states) {
  const head = ['Tokens read', 'Readers', ...states.flatMap(({name}) => [`Reading, ${stateName(name)}`, `Writing, ${stateName(name)}`, `Cache, ${stateName(name)}`])];
  const rows = states[0].result.rows.map((row) => [decimal(row.pp), decimal(row.pl), ...states.flatMap(({result}) => {
    const own = result.rows.find((other) => other.pp === row.pp && other.pl === row.pl) || {};
    return [decimal(own.speed_pp), decimal(own.speed_tg), bytes(own.cache_bytes)];
  })]);
  return numbersBelow(head, rows);
}

/** Whether the page can compute the cache of the plan: every kind of mixer and the model's shape are known. */
const cacheIsKnown = ({analysis, plan}) => analysis && plan && isNumber(analysis.model.kv_heads) &&
    plan.layers.map(mixerOfEntry).every((mixer) => mixerKeeps(mixer, 1) !== undefined);

function drawSpeed(report) {
  const states = report.speed;
  if (!states.length && !cacheIsKnown(report)) return;
  byId('won').hidden = false;
  const container = byId('speed-charts');
  if (states.length) {
    const rows = states.flatMap(({result}) => result.rows);
    const [readers, prompts] = [sorted(rows.map((row) => row.pl)), sorted(rows.map((row) => row.pp))];
    const most = readers[readers.length - 1];
    const choice = {phase: 'speed_tg', prompt: prompts.includes(1024) ? 1024 : prompts[prompts.length - 1]};
    const redraw = [];
    const set = (key) => (value) => {
      choice[key] = value;
      redraw.forEach((draw) => draw());
    };
    byId('speed-controls').replaceChildren(
        radios('Speed of', Object.entries(phases).map(([value, {label}]) => ({value, label})), choice.phase, set('phase')),
        prompts.length > 1 ? radios('Tokens in the text', prompts.map((value) => ({value, label: decimal(value)})), choice.prompt, set('prompt')) : '');
    redraw.push(makeChart(container, 'Speed, by readers', () => throughputChart(states, readers, choice)));
    redraw.push(makeChart(container, 'Memory of all readers', () => memoryChart(states, readers, choice)));
    if (prompts.length > 1) {
      redraw.push(makeChart(container, `Speed, by length of the text (${plural(most, 'reader', 'readers')})`,
          () => lengthChart(states, prompts, most, choice)));
    }
    byId('speed-numbers').replaceChildren(speedNumbers(states));
  }
  if (cacheIsKnown(report)) makeChart(container, 'Memory of one reader (computed)', () => readerChart(report));
}
