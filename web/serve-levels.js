// Levels, where the engine has several: how high requests stand, now and over the last two minutes. Without them nothing of this is seen.

let ladder = null;     // what /v1/models says of them: {levels, level_mode, level_cap}; null: nothing yet
let highestLevel = 0;  // 0: there are none

const ofLevel = (name, level) => `layerboost_${name}{level="${level}"}`;
const levelNumbers = () => Array.from({length: highestLevel + 1}, (_, level) => level);
const runningAt = (values, level) => values[ofLevel('running_by_level', level)] || 0;

/** From the colour of full attention to that of windows, through green. */
function levelColour(level) {
  const part = 200 * level / Math.max(highestLevel, 1);
  return part < 100 ? `color-mix(in oklab, var(--softmax), var(--healed) ${part.toFixed(0)}%)` : `color-mix(in oklab, var(--healed), var(--window) ${(part - 100).toFixed(0)}%)`;
}
const levelDot = (level) => h('i', {style: `background: ${levelColour(level)}`});
const sequences = (count) => `${whole(count)} ${count === 1 ? 'sequence' : 'sequences'}`;
const ratio = (value) => `\u00d7${value.toFixed(3)}`;

/** What is known of a level, in a line. */
function aboutLevel(level) {
  const about = ladder?.levels[level];
  if (!about) return `level ${level}`;
  const figures = [about.rung, about.perplexity_ratio && `perplexity ${ratio(about.perplexity_ratio)}`,
    about.kv_fraction && `${(100 * about.kv_fraction).toFixed(0)} % of the memory`];
  return `level ${level}` + (figures.some(Boolean) ? ': ' + figures.filter(Boolean).join(', ') : '');
}

/** Beside an answer of the chat: the level that it began with, and where it was folded the one that it ended with. */
function levelMark({first_level: first, level}) {
  return h('small', {class: 'level', title: aboutLevel(level)}, levelDot(level), first === level ? `level ${level}` : `level ${first} \u2192 ${level}`);
}

/** Lets people choose the level of their own requests. */
function showLadder(model) {
  if (!model.levels) return;
  ladder = model;
  highestLevel = model.levels.length - 1;
  byId('level').append(...model.levels.map((_, level) => h('option', {value: level}, aboutLevel(level))));
  byId('level-choice').hidden = false;
}

const placeOf = (i) => i + kept - readings.length;
/** A value of each reading as the corners of a line with steps. */
function steps(values, y) {
  return values.map((value, i) => `${i ? 'H' + placeOf(i) : placeOf(i) + ',' + y(values[0])}V${y(value)}`).join('');
}

function plot(label, most, children) {
  return h('div', {class: 'plot'}, h('span', {}, whole(most)), h('span', {}, '0'),
      svg('svg', {viewBox: `0 0 ${kept - 1} 100`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label}, children));
}

function levelPlot(values) {
  const levels = readings.map((reading) => reading.values.layerboost_level || 0);
  const cap = ladder ? ladder.level_cap : highestLevel;
  const most = Math.max(1, cap, ...levels);
  const y = (level) => (97 - 94 * level / most).toFixed(1);
  const line = 'M' + steps(levels, y);
  const now = values.layerboost_level;
  return plot(`level ${now}, of at most ${cap}`, most, [
    svg('path', {class: 'cap', d: `M0,${y(cap)}H${kept - 1}`}),
    svg('path', {class: 'under', d: `${line}V${y(0)}H${placeOf(0)}Z`}),
    svg('path', {class: 'line', d: line}),
  ]);
}

/** Sequences that run, stacked by level, and those that wait on top of them. */
function loadPlot(values) {
  const waiting = readings.map((reading) => reading.values.layerboost_requests_waiting || 0);
  const layers = levelNumbers().map((level) => ({fill: levelColour(level), counts: readings.map((reading) => runningAt(reading.values, level))}));
  layers.push({fill: 'var(--waiting)', counts: waiting});
  const total = readings.map((_, i) => layers.reduce((sum, layer) => sum + layer.counts[i], 0));
  const most = Math.max(1, ...total);
  const y = (count) => (100 - 98 * count / most).toFixed(1);
  let below = total.map(() => 0);
  const areas = layers.map(({fill, counts}) => {
    const above = below.map((count, i) => count + counts[i]);
    const edge = (heights) => heights.map((count, i) => `${placeOf(i)},${y(count)}`);
    const path = counts.some(Boolean) && svg('path', {style: `fill: ${fill}`, d: 'M' + [...edge(above), ...edge(below).reverse()].join('L') + 'Z'});
    below = above;
    return path;
  });
  return plot(`${sequences(values.layerboost_requests_running)} being written, ${whole(values.layerboost_requests_waiting)} waiting`, most, areas.filter(Boolean));
}

function levelStrip(values) {
  const present = levelNumbers().filter((level) => runningAt(values, level) > 0);
  const all = present.reduce((sum, level) => sum + runningAt(values, level), 0);
  return [
    h('div', {class: 'bar', role: 'img', 'aria-label': present.map((level) => `${sequences(runningAt(values, level))} at level ${level}`).join(', ') || 'no sequence is being written'},
        present.map((level) => h('i', {title: aboutLevel(level), style: `background: ${levelColour(level)}; width: ${(100 * runningAt(values, level) / all).toFixed(2)}%`}))),
    h('ul', {class: 'legend'},
        present.map((level) => h('li', {title: aboutLevel(level)}, levelDot(level), `level ${level}: ${sequences(runningAt(values, level))}`)),
        !all && h('li', {}, 'no sequence is being written'),
        values.layerboost_requests_waiting > 0 && h('li', {}, h('i', {class: 'waiting'}), `waiting: ${sequences(values.layerboost_requests_waiting)}`)),
  ];
}

function levelFacts(values) {
  const changes = [['memory', 'for memory'], ['first_token', 'for the first token'], ['between_tokens', 'for the next token'], ['idle', 'down again']]
      .map(([cause, words]) => [values[`layerboost_level_changes_total{cause="${cause}"}`] || 0, words]).filter(([count]) => count > 0);
  const served = values.layerboost_quality_served;
  const none = values.layerboost_generated_tokens_total > 0 ? 'not measured' : 'nothing';
  return [
    ['Given up so far', served === undefined ? none : `perplexity ${ratio(served)}, the mean of all tokens`],
    ['Folded', `${whole(values.layerboost_folds_total)} times, ${bytes(values.layerboost_folded_bytes_total)} freed; beginnings: ${whole(values.layerboost_folded_prefixes_total)}`],
    ['Changes', changes.map(([count, words]) => `${whole(count)} ${words}`).join(', ') || 'none yet'],
  ].flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]);
}

function drawLevels(values) {
  if (!('layerboost_level' in values)) return;
  while (ofLevel('running_by_level', highestLevel + 1) in values) highestLevel++;
  const modes = {off: 'level 0 for all', fixed: 'one level for all', auto: 'by load', 'per-request': 'each request by itself'};
  byId('level-mode').textContent = ladder ? `${modes[ladder.level_mode]}${ladder.level_cap < highestLevel ? `, up to ${ladder.level_cap} of ${highestLevel}` : ''}` : '';
  byId('level-history').replaceChildren(
      h('p', {}, 'Level of those that begin'), levelPlot(values),
      h('p', {}, 'Sequences being written, by level, and waiting'), loadPlot(values),
      h('p', {class: 'time'}, h('span', {}, '2 minutes ago'), h('span', {}, 'now')));
  byId('level-strip').replaceChildren(...levelStrip(values));
  byId('level-facts').replaceChildren(...levelFacts(values));
  byId('levels').hidden = false;
}
