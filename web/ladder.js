// The ladder: a slider that fills the strip of layers rung by rung, and what is lost and won at each level.

const ladderLooks = [
  {colour: '--accent', point: 'circle', dash: []},
  {colour: '--window-line', point: 'rect', dash: [5, 4]},
  {colour: '--map-line', point: 'triangle', dash: [2, 2]},
  {colour: '--healed', point: 'rectRot', dash: [8, 3, 2, 3]},
  {colour: '--base', point: 'star', dash: [3, 5]},
];

/**
 * What the section shows: {ladder, levels, lengths, unchanged, start}. `levels` has what was measured of each, 0 to
 * the top, undefined for levels without figures; `lengths` those of the texts with facts; `unchanged` the original's
 * tokens a second, where measured; `start` says what level 0 is.
 */
function ladderView({ladder, plan_hash: shown}) {
  const {level_0: {plan}, measured_on: on} = ladder;
  const levels = Array.from({length: ladder.rungs.length + 1});
  for (const figures of ladder.quality) levels[figures.level] = figures;
  const lengths = sorted(ladder.quality.flatMap(({retrieval = []}) => retrieval.map(({length}) => length)));
  const measured = memberOf(memberOf(on, 'unchanged', 'object'), 'decode_speed', 'number');
  const unchanged = measured || (plan ? undefined : (levels[0] || {}).decode_speed);
  const start = !plan ? 'the original' : plan === shown ? 'the plan of this page' : shown ? 'another plan' : 'a plan';
  return {ladder, levels, lengths, unchanged, start};
}

/** The mixers of a level. */
function mixersAt(ladder, level) {
  const written = [...ladder.level_0.mixers];
  for (const {layer, mixer} of ladder.rungs.slice(0, level)) written[layer] = mixer;
  return written.map(parseMixer);
}

/** What a level finds of the facts in texts of this length: {found, kept}, or empty. */
const factsOf = ({retrieval = []}, length) => retrieval.find((row) => row.length === length) || {};

/** Tokens a second of a level, measured, against the original's. */
function measuredSpeedup({decode_speed: speed}, unchanged) {
  return isNumber(speed) && unchanged > 0 ? speed / unchanged : undefined;
}

const hasPrediction = ({levels}) => levels.some((figures) => figures && isNumber(figures.speedup));
const hasMeasuredSpeed = ({levels, unchanged}) =>
  levels.some((figures) => figures && isNumber(measuredSpeedup(figures, unchanged)));

// ---- in words

/** A ratio with more digits than times() gives, since single rungs change it little: '1.04×'. */
const timesFinely = (ratio) => (isNumber(ratio) ? decimal(ratio, 2) + '\u00d7' : '\u2013');

/** How much perplexity grew: '+0.17 %'. */
function growth(ratio) {
  if (!isNumber(ratio)) return '\u2013';
  const change = 100 * (ratio - 1);
  const text = Math.abs(change) < 100 ? decimal(change, Math.abs(change) < 10 ? 2 : 0) : significant(change);
  return signed(change, text) + '\u202f%';
}

/** ' for 64 readers of 1,024 tokens', of "64x1024". */
function decodeInWords({measured_on: on}) {
  const [, readers, tokens] = /^(\d{1,9})x(\d{1,9})$/.exec(memberOf(on, 'decode', 'string') || '') || [];
  return readers ? ` for ${plural(Number(readers), 'reader', 'readers')} of ${decimal(Number(tokens))} tokens` : '';
}

const rungName = ({layer, mixer}) => `layer ${layer} \u2192 ${choiceName(mixer)}`;

/** What level `level` changes. */
function rungText({ladder: {rungs}, start}, level) {
  return level ? rungName(rungs[level - 1]) : `${start}, without any of the ${plural(rungs.length, 'rung', 'rungs')}`;
}

/** The figures that matter most, for those who don't see the charts. */
function levelInWords(figures) {
  if (!figures) return 'not measured';
  return `cache memory ${percent(figures.kv_fraction)}, perplexity ${growth(figures.perplexity_ratio)}`;
}

/** 'Levels 3 to 5 and 9', of those without figures. */
function gapsInWords(levels) {
  const gaps = levels.flatMap((figures, level) => (figures ? [] : [level]));
  const stretches = [];
  for (const level of gaps) {
    const last = stretches[stretches.length - 1];
    if (last && last[1] === level - 1) last[1] = level;
    else stretches.push([level, level]);
  }
  const parts = stretches.map(([from, to]) => (from === to ? String(from) : `${from} to ${to}`));
  const few = parts.length > 8 ? [...parts.slice(0, 7), `${parts.length - 7} more stretches`] : parts;
  return gaps.length ? `${gaps.length === 1 ? 'Level' : 'Levels'} ${listed(few)}` : '';
}

function ladderNote({levels}) {
  if (!levels.some(Boolean)) return 'No level has been measured yet.';
  const gaps = gapsInWords(levels);
  const have = gaps.startsWith('Level ') ? 'has' : 'have';
  return 'Shaded round a line is one standard error; of perplexity it is that of the difference, both models having ' +
      'read the same texts.' +
      (gaps ? ` ${gaps} ${have} no figures, and the lines have gaps there: not measured yet, or changed since.` : '');
}

/** What the figures are of, in one sentence; empty where the ladder doesn't say. */
function ladderMeasuredText(report) {
  const {ladder: {measured_on: on}, levels, lengths} = ladderView(report);
  const text = memberOf(on, 'text', 'string');
  const [windows, window] = ['windows', 'window'].map((key) => memberOf(on, key, 'number'));
  if (!text || !levels.some(Boolean)) return '';
  const source = text === 'self' ? 'text that the model wrote itself' : text;
  const size = windows && window ? `, ${plural(windows, 'window', 'windows')} of ${decimal(window)} tokens` : '';
  const facts = `, and by facts in texts of ${listed(lengths.map((length) => decimal(length)))} tokens, in wordings ` +
      'that no rung was chosen by';
  return `The levels of the ladder were measured on ${source}${size}${lengths.length ? facts : ''}.`;
}

/** Of the plan and the text behind the ladder. */
function ladderHashes({ladder}) {
  if (!ladder) return [];
  const {level_0: {plan, adapter}, measured_on: on} = ladder;
  return [['Plan that the ladder begins with', plan], ['What healing learnt for it', adapter],
    ['Text that the ladder was measured on', memberOf(on, 'text_hash', 'string')]];
}

// ---- charts over the level

/** A line over the levels, with gaps where value() gives nothing; error() is one standard error of it. */
function levelLine(label, look, levels, value, error = () => undefined) {
  const values = levels.map((figures) => (figures && isNumber(value(figures)) ? value(figures) : null));
  const ribbon = values.map((y, level) => {
    const spread = y === null ? undefined : error(levels[level]);
    return isNumber(spread) && spread >= 0 ? [y - spread, y + spread] : null;
  });
  return {
    label, data: values.map((y, x) => ({x, y})), ribbon, borderColor: colour(look.colour),
    backgroundColor: colour(look.colour), borderWidth: 2, borderDash: look.dash, pointStyle: look.point,
    pointRadius: levels.length <= 41 ? 3 : 1.5, pointHoverRadius: 6, spanGaps: false,
  };
}

/** 'predicted 1.00× at level 0, 1.48× at level 24' */
function lineInWords({label, data}, text) {
  const there = data.filter(({y}) => y !== null);
  if (!there.length) return `${label}: not measured`;
  return `${label} ` + [there[0], there[there.length - 1]].map(({x, y}) => `${text(y)} at level ${x}`).join(', ');
}

/**
 * Lines over the levels; the slider's level is shaded, and a click moves the slider. text() writes the values, and the
 * axis has `least` and `most` on it.
 */
function levelChart(slider, datasets, text, least, most) {
  const top = datasets[0].data.length - 1;
  const ends = datasets.flatMap(({ribbon}) => ribbon).filter(Boolean).flat().filter(isNumber);
  const label = ({dataset, dataIndex, parsed}) => {
    const [low, high] = dataset.ribbon[dataIndex] || [0, 0];
    return `${dataset.label}: ${text(parsed.y)}` + (high > low ? ` \u00b1 ${significant((high - low) / 2, 2)}` : '');
  };
  return {
    type: 'line', data: {datasets},
    label: `By level: ${datasets.map((dataset) => lineInWords(dataset, text)).join('; ')}`,
    scales: {
      x: axis('level', {
        type: 'linear', min: -0.5, max: top + 0.5, grid: {display: false, borderColor: colour('--line')},
        afterBuildTicks: (x) => { x.ticks = layerTicks(top + 1, x.width); },
        ticks: {callback: (v) => String(v), autoSkip: false},
      }),
      y: axis('', {
        title: {display: false}, suggestedMin: Math.min(least, ...ends), suggestedMax: Math.max(most, ...ends),
        ticks: {callback: (v) => text(v), maxTicksLimit: 6},
      }),
    },
    plugins: {
      legend: {display: datasets.length > 1},
      bands: {columns: [slider.level], fill: colour('--band')},
      tooltip: {mode: 'index', callbacks: {title: ([first]) => (first ? `Level ${first.parsed.x}` : ''), label}},
    },
    onClick: (event, elements, chart) => slider.pick(Math.round(chart.scales.x.getValueForPixel(event.x))),
  };
}

/** The charts that there are figures for: {title, draw}. */
function levelCharts(view, slider) {
  const {ladder, levels, lengths, unchanged} = view;
  const [first, second] = ladderLooks;
  const ratio = (v) => significant(v, 5) + '\u00d7';
  const share = (v) => percent(v, v > 0 && v < 0.1 ? 1 : 0);
  const lines = {
    perplexity: () => levelLine('perplexity', first, levels,
        (f) => f.perplexity_ratio, (f) => f.perplexity_ratio_stderr),
    kl: () => levelLine('KL divergence', first, levels, (f) => f.kl, (f) => f.kl_stderr),
    facts: (length, i) => levelLine(`in ${decimal(length)} tokens`, ladderLooks[i % ladderLooks.length], levels,
        (f) => factsOf(f, length).kept),
    memory: () => levelLine('cache memory', first, levels, (f) => f.kv_fraction),
    predicted: () => levelLine('predicted', first, levels, (f) => f.speedup),
    timed: () => levelLine('measured', second, levels, (f) => measuredSpeedup(f, unchanged)),
  };
  const speeds = [hasPrediction(view) && lines.predicted, hasMeasuredSpeed(view) && lines.timed].filter(Boolean);
  const which = lengths.length === 1 ? ` in ${decimal(lengths[0])} tokens` : '';
  return [
    {
      title: 'Perplexity, times that of the original',
      draw: () => levelChart(slider, [lines.perplexity()], ratio, 1, 1),
    },
    {
      title: 'Distance from the original (KL, in nats)',
      draw: () => levelChart(slider, [lines.kl()], significant, 0, 0),
    },
    lengths.length && {
      title: `Facts found far back${which}, of those that the original finds`,
      draw: () => levelChart(slider, lengths.map(lines.facts), share, 0, 1),
    },
    {
      title: `Cache memory of ${decimal(ladder.context)} tokens, of the original\u2019s`,
      draw: () => levelChart(slider, [lines.memory()], share, 0, 1),
    },
    speeds.length && {
      title: 'Speed of writing, times that of the original',
      draw: () => levelChart(slider, speeds.map((line) => line()), timesFinely, 1, 1),
    },
  ].filter(Boolean);
}

// ---- one level

/** The figures of a level: memory, perplexity, KL, then facts by length and speeds, as far as any level has them. */
function levelFigures(view, level) {
  const {ladder, lengths, unchanged} = view;
  const f = view.levels[level] || {};
  const spread = (x) => (isNumber(x) && x > 0 ? h('small', {}, ' \u00b1\u202f' + significant(x, 2)) : null);
  const entry = (label, x, number, meaning) => figure(label, number, isNumber(x) ? meaning : 'not measured');
  const shown = [
    entry('Cache memory', f.kv_fraction, percent(f.kv_fraction),
        `${bytes(f.kv_bytes)} for ${decimal(ladder.context)} tokens`),
    entry('Perplexity', f.perplexity_ratio, [growth(f.perplexity_ratio), spread(100 * f.perplexity_ratio_stderr)],
        'against the original'),
    entry('KL divergence', f.kl, [significant(f.kl), spread(f.kl_stderr)], 'from the original, in nats'),
  ];
  for (const length of lengths) {
    const {found, kept} = factsOf(f, length);
    const meaning = `of what the original finds; ${percent(found)} of all`;
    shown.push(entry(`Facts in ${decimal(length)} tokens`, kept, percent(kept), meaning));
  }
  if (hasPrediction(view)) {
    shown.push(entry('Predicted speed', f.speedup, timesFinely(f.speedup), 'of writing' + decodeInWords(ladder)));
  }
  if (hasMeasuredSpeed(view)) {
    const measured = measuredSpeedup(f, unchanged);
    const speed = decimal(f.decode_speed, f.decode_speed < 10 ? 1 : 0);
    shown.push(entry('Measured speed', measured, timesFinely(measured), `${speed} tokens a second`));
  }
  return shown;
}

/** The mixers of all levels, most reach first, each with how many layers have it among `mixers`. */
function ladderLegend({level_0: {mixers: start}, rungs}, mixers) {
  const counts = new Map(countMixers(mixers).map(({mixer, count}) => [mixerKey(mixer), count]));
  const all = countMixers([...start, ...rungs.map(({mixer}) => mixer)].map(parseMixer));
  return all.map(({mixer}) => legendEntry({mixer, count: counts.get(mixerKey(mixer)) || 0}));
}

function ladderNumbers(view) {
  const {levels, lengths, unchanged} = view;
  const error = (mean, stderr, digits) => withError({mean, stderr: stderr || undefined}, digits);
  const columns = [
    ['Memory', (f) => percent(f.kv_fraction, 1)],
    ['Perplexity', (f) => error(f.perplexity_ratio, f.perplexity_ratio_stderr, 5)],
    ['KL', (f) => error(f.kl, f.kl_stderr)],
    ...lengths.map((length) => [`Facts in ${decimal(length)}`, (f) => percent(factsOf(f, length).kept)]),
    ['Predicted speed', (f) => timesFinely(f.speedup)],
    ['Measured speed', (f) => timesFinely(measuredSpeedup(f, unchanged))],
  ];
  const head = ['Level', 'Change', ...columns.map(([title]) => title)];
  const rows = levels.map((figures = {}, level) =>
    [String(level), rungText(view, level), ...columns.map(([, text]) => text(figures))]);
  return numbersBelow(head, rows);
}

// ---- the section, and the opening where there is nothing else

function drawLadder(report) {
  if (!report.ladder) return;
  byId('ladder').hidden = false;
  const view = ladderView(report);
  const {ladder, levels, start} = view;
  const top = ladder.rungs.length;
  const slider = {level: Math.ceil(top / 2), pick};
  const input = h('input', {
    type: 'range', id: 'ladder-range', min: 0, max: top, step: 1, value: slider.level,
    oninput: () => show(Number(input.value)),
  });
  byId('ladder-slider').replaceChildren(
      h('label', {for: 'ladder-range'}, 'Level'), input,
      h('div', {class: 'ends', 'aria-hidden': 'true'},
          h('span', {}, `0: ${start}`), h('span', {}, `${top}: all rungs`)));
  byId('ladder-slider').hidden = top === 0;
  const drawStrip = plainStrip(byId('ladder-strip'), mixersAt(ladder, 0));
  const drawCharts = levelCharts(view, slider).map(({title, draw}) => makeChart(byId('ladder-charts'), title, draw));
  byId('ladder-numbers').replaceChildren(ladderNumbers(view));
  byId('ladder-note').textContent = ladderNote(view);
  let frame = 0;

  function pick(level) {
    input.value = Math.min(top, Math.max(0, level));
    show(Number(input.value));
  }
  function show(level) {
    slider.level = level;
    const mixers = mixersAt(ladder, level);
    const text = rungText(view, level);
    input.setAttribute('aria-valuetext', `Level ${level} of ${top}, ${text}, ${levelInWords(levels[level])}`);
    byId('ladder-rung').replaceChildren(h('b', {}, `Level ${level}`), `: ${text}`);
    drawStrip(mixers, level ? ladder.rungs[level - 1].layer : undefined);
    byId('ladder-figures').replaceChildren(...levelFigures(view, level));
    byId('ladder-legend').replaceChildren(...ladderLegend(ladder, mixers));
    cancelAnimationFrame(frame);  // a slider can move more often than charts can be drawn
    frame = requestAnimationFrame(() => drawCharts.forEach((draw) => draw()));
  }
  show(slider.level);
}

/** The figures of the highest level that has any. */
function drawLadderOpening(report) {
  const view = ladderView(report);
  const {ladder: {rungs, level_0: {mixers}}, levels, lengths} = view;
  const changed = new Set(rungs.map(({layer}) => layer)).size;
  byId('headline').textContent = `A ladder of ${plural(rungs.length, 'rung', 'rungs')}`;
  byId('lead').textContent = `${report.name} has ${plural(mixers.length, 'layer', 'layers')}, of which ` +
      `${decimal(changed)} can give way one after the other while it serves, in an order that was measured. This ` +
      'page shows what each level loses and wins.';
  const last = levels.reduce((best, figures, level) => (figures ? level : best), 0);
  if (!last) return;
  byId('lead').append(` At level ${last}, ${last === rungs.length ? 'the top' : 'the highest that was measured'}:`);
  const [memory, perplexity, , ...others] = levelFigures(view, last);
  const facts = lengths.length;  // shown of the longest texts only
  byId('figures').replaceChildren(memory, perplexity, ...others.slice(Math.max(0, facts - 1), facts + 1));
}
