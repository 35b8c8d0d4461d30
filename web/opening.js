// The headline and the few numbers that matter.

/** The rows of two bench results at most readers: {readers, prompt, base, other}, at a prompt near 1024 tokens. */
function busiestRows(base, other) {
  const pairs = base.rows.map((row) => ({base: row, other: other.rows.find((r) => r.pp === row.pp && r.pl === row.pl)}))
      .filter((pair) => pair.other);
  if (!pairs.length) return null;
  const readers = Math.max(...pairs.map(({base: row}) => row.pl));
  const distance = ({base: row}) => Math.abs(Math.log(row.pp / 1024));
  return pairs.filter(({base: row}) => row.pl === readers).sort((a, b) => distance(a) - distance(b))[0];
}

/** One figure: what it is, the number, what it means. */
function figure(label, number, meaning) {
  return h('div', {}, h('dt', {}, label), h('dd', {class: 'number'}, number), h('dd', {}, meaning));
}

function layerFigure(mixers) {
  const full = mixers.filter((mixer) => mixer.kind === 'softmax').length;
  const others = countMixers(mixers).filter(({mixer}) => mixer.kind !== 'softmax');
  const words = others.map(({mixer, count}) => `${count} ${mixer.kind === 'window' ? 'with a ' : ''}${mixerName(mixer)}`);
  return figure('Layers with full attention', [String(full), h('small', {}, ` of ${mixers.length}`)], listed(words));
}

function speedFigure(report) {
  const base = report.speedOf('base');
  const pair = base && report.latestSpeed && busiestRows(base, report.latestSpeed);
  if (!pair) return null;
  const {base: before, other: after} = pair;
  const meaning = `${decimal(before.speed_tg)} \u2192 ${decimal(after.speed_tg)} tokens a second, written for ` +
      `${plural(before.pl, 'reader', 'readers')} of ${decimal(before.pp)} tokens`;
  return figure('Writing speed', times(after.speed_tg / before.speed_tg), meaning);
}

function perplexityFigure(report) {
  const base = report.qualityOf('base');
  const before = base && base.perplexity;
  const after = report.latestQuality && report.latestQuality.perplexity;
  if (!before || !after) return null;
  const change = after.ppl / before.ppl - 1;
  const meaning = `${signed(change, percent(change, 1))}; how surprised it is by text, lower is better`;
  return figure('Perplexity', [decimal(before.ppl, 1), h('small', {}, ' \u2192 '), decimal(after.ppl, 1)], meaning);
}

function drawOpening(report) {
  const {plan, name} = report;
  byId('model-name').textContent = name;
  if (!plan) {
    byId('headline').textContent = `${name}, measured`;
    return;
  }
  const mixers = plan.layers.map(mixerOfEntry);
  const full = mixers.filter((mixer) => mixer.kind === 'softmax').length;
  byId('headline').textContent = `Attention kept in ${full} of ${mixers.length} layers`;
  byId('lead').textContent = `${name} was measured layer by layer. Where looking back at everything matters, it still ` +
      'does; where it doesn\u2019t, something cheaper took its place. This page shows what that cost and what it brought.';
  const predicted = plan.predicted || {};
  const memory = isNumber(predicted.kv_fraction) &&
      figure('Cache memory', percent(predicted.kv_fraction), `of what it was, for a text of ${decimal(predicted.context)} tokens`);
  byId('figures').replaceChildren(...[layerFigure(mixers), memory, speedFigure(report), perplexityFigure(report)]
      .filter(Boolean));
}
