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

/** 'Of the other 24, 18 have a window of 256 tokens, 3 a window of 64, 1 has a fixed map and 2 do without.' */
function othersInWords(mixers) {
  const others = countMixers(mixers).filter(({mixer}) => mixer.kind !== 'softmax');
  if (!others.length) return 'Nothing was changed.';
  const parts = others.map(({mixer, count}) => {
    if (mixer.kind === 'none') return `${count} ${count === 1 ? 'does' : 'do'} without`;
    return `${count} ${count === 1 ? 'has' : 'have'} a ${mixerName(mixer)}` + (nameEndsWithTokens(mixer) ? ' tokens' : '');
  });
  const total = others.reduce((sum, {count}) => sum + count, 0);
  return total === mixers.length ? `Of its ${total} layers, ${listed(parts)}.` : `Of the other ${total}, ${listed(parts)}.`;
}

/** Facts in the longest text that was tried. */
function recallFigure(report) {
  const base = report.qualityOf('base');
  const after = ((report.latestQuality || {}).retrieval || []).reduce((best, row) => (best && best.length > row.length ? best : row), null);
  const before = after && base && (base.retrieval || []).find((row) => row.length === after.length);
  if (!before) return null;
  const number = [percent(before.plain.found), h('small', {}, ' \u2192 '), percent(after.plain.found)];
  return figure('Recall from far back', number, `facts hidden in ${decimal(after.length)} tokens of text that it found again`);
}

/** Of the plan as it is, where its cache can be computed; else as it was predicted. */
function memoryFigure(report) {
  const {kv_fraction: predicted, context} = report.plan.predicted || {};
  const length = Math.min(2048, longestText(report));
  const known = cacheIsKnown(report);
  if (!known && !isNumber(predicted)) return null;
  const share = known ? cacheOfReader(report.analysis.model, report.plan.layers.map(mixerOfEntry), report.beside_tokens, length) /
      cacheOfReader(report.analysis.model, unchangedMixers(report), [], length) : predicted;
  return figure('Cache memory', percent(share), `of what it was, for a text of ${decimal(known ? length : context)} tokens`);
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

/** A model's perplexity of what it wrote itself says little: there the change of the NLL is the figure. */
function textFigure(report) {
  const base = report.qualityOf('base');
  const after = report.latestQuality || {};
  if (isWrittenByModel(after)) {
    const {nll_change: change, nll_change_stderr: stderr} = after.kl || {};
    if (!isNumber(change)) return null;
    const number = [signed(change, decimal(change, 3)), isNumber(stderr) && h('small', {}, ` \u00b1\u202f${decimal(stderr, 3)}`)];
    return figure('Lost on text', number, 'nats a token (change of the NLL): how much more surprised it is by text that the original wrote; 0 is the same');
  }
  const before = base && base.perplexity;
  if (!before || !after.perplexity) return null;
  const change = after.perplexity.ppl / before.ppl - 1;
  const meaning = `${signed(change, percent(change, 1))}; how surprised it is by ${textName(after) || 'text'}, lower is better`;
  return figure('Perplexity', [decimal(before.ppl, 1), h('small', {}, ' \u2192 '), decimal(after.perplexity.ppl, 1)], meaning);
}

function drawOpening(report) {
  const {plan, name} = report;
  byId('model-name').textContent = name;
  if (!plan && report.ladder) {
    drawLadderOpening(report);
    return;
  }
  if (!plan) {
    byId('headline').textContent = `${name}, measured`;
    return;
  }
  const mixers = plan.layers.map(mixerOfEntry);
  const full = mixers.filter((mixer) => mixer.kind === 'softmax').length;
  byId('headline').textContent = `Full attention kept in ${full} of ${mixers.length} layers`;
  byId('lead').textContent = `${name} was measured layer by layer. Where looking back at everything matters, it still ` +
      `does. ${othersInWords(mixers)} This page shows what that cost and what it brought.`;
  byId('figures').replaceChildren(...[memoryFigure(report), speedFigure(report), textFigure(report), recallFigure(report)]
      .filter(Boolean));
}
