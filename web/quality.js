// What was lost: one row per measure, one pair of columns per state of the model.

const knownTasks = {
  arc_easy: ['ARC easy', 'school science'], arc_challenge: ['ARC challenge', 'harder school science'],
  hellaswag: ['HellaSwag', 'what happens next'], openbook_qa: ['OpenBookQA', 'elementary science'], piqa: ['PIQA', 'everyday physics'],
  winogrande: ['WinoGrande', 'whom a pronoun means'], lambada: ['LAMBADA', 'the last word of a story'],
};

function taskWords(name, n) {
  const [label, about] = knownTasks[name] || [name.replaceAll('_', ' '), ''];
  return {label, hint: (about ? about + ', ' : '') + plural(n, 'question', 'questions')};
}

/** What a result's perplexity was measured on: a file's name, and whether the model wrote it itself. */
const textOf = ({data}) => (data && data.text) || {};
const isWrittenByModel = (result) => Boolean(textOf(result).written_by_model);
const textName = (result) => (textOf(result).file || '').split('/').pop();

/**
 * The measures that any of `results` has: {group, label, hint, lower, get, text, change}. get(result) is {mean, stderr} or
 * undefined; text(x) writes a value, change(difference, base) a difference.
 */
function qualityRows(results, normalised) {
  const points = (d) => signed(d, decimal(100 * d, 1));
  const share = {text: (x) => decimal(100 * x, 1), change: points, fraction: true};
  const own = results.some(isWrittenByModel);
  const perplexityHint = own ? 'of text that the original wrote: only the difference counts' : ['lower is better', textName(results[0])].filter(Boolean).join(', ');
  // A text's rows: `on` gives what a result has of it, `hint` says which text it is.
  const textRows = (hint, on) => {
    const klOf = (result) => (on(result) || {}).kl;
    return [{
      group: 'Text', label: 'Perplexity', hint, lower: true, text: (x) => decimal(x, 2),
      change: (d, base) => `${signed(d, decimal(d, 2))} (${signed(d, percent(d / base, 1))})`,
      get: (result) => {
        const {perplexity: p, kl} = on(result) || {};
        return p && {
          mean: p.ppl, stderr: isNumber(p.nll_stderr) ? p.ppl * p.nll_stderr : undefined,
          change: kl && isNumber(kl.nll_change_stderr) ? {mean: kl.nll_change, stderr: kl.nll_change_stderr} : undefined,
        };
      },
    }, {
      group: 'Text', label: 'More surprised than the original', hint: 'change of the NLL in nats, paired by text', lower: true, text: (x) => decimal(x, 4),
      get: (result) => { const kl = klOf(result); return kl && isNumber(kl.nll_change) ? {mean: kl.nll_change, stderr: kl.nll_change_stderr} : undefined; },
    }, {
      group: 'Text', label: 'Distance from the original', hint: 'KL divergence, 0 is the same', lower: true, text: (x) => significant(x),
      get: (result) => { const kl = klOf(result); return kl && {mean: kl.mean, stderr: kl.stderr}; },
    }, {
      group: 'Text', label: 'Same next token as the original', hint: '% of tokens', ...share,
      get: (result) => { const kl = klOf(result); return kl && isNumber(kl.agreement) ? {mean: kl.agreement, stderr: kl.agreement_stderr} : undefined; },
    }];
  };
  const more = unionOf(results, ({more_texts: texts}) => (texts || []).map(({file}) => file));
  const rows = [...textRows(perplexityHint, (result) => result), ...more.flatMap((file) =>
    textRows(`lower is better, ${file}`, ({more_texts: texts}) => (texts || []).find((text) => text.file === file)))];
  const key = (task) => (normalised && isNumber(task.acc_norm) ? 'acc_norm' : 'acc');
  for (const name of unionOf(results, ({tasks}) => Object.keys(tasks || {}))) {
    const task = ({tasks}) => tasks && tasks[name];
    const n = results.map(task).filter(Boolean)[0].n;
    rows.push({
      group: 'Questions answered correctly, %', ...taskWords(name, n), ...share,
      get: (result) => task(result) && {mean: task(result)[key(task(result))], stderr: task(result)[key(task(result)) + '_stderr']},
    });
  }
  for (const length of unionOf(results, ({passkey}) => (passkey || []).map((row) => row.length))) {
    const test = ({passkey}) => (passkey || []).find((row) => row.length === length);
    const n = results.map(test).filter(Boolean)[0].n;
    rows.push({
      group: 'Numbers found again far back, %', label: `in ${decimal(length)} tokens`, hint: plural(n, 'text', 'texts'), ...share,
      get: (result) => test(result) && {mean: test(result).acc, stderr: test(result).acc_stderr},
    });
  }
  for (const length of unionOf(results, ({retrieval}) => (retrieval || []).map((row) => row.length))) {
    const test = ({retrieval}) => (retrieval || []).find((row) => row.length === length);
    const wordings = results.map(test).filter(Boolean)[0].wordings;
    for (const [form, words] of [['plain', 'as plain text'], ['chat', 'asked in a chat']]) {
      const asked = wordings.filter((row) => row.chat === (form === 'chat'));
      rows.push({
        group: 'Facts found again far back, %', label: `in ${decimal(length)} tokens, ${words}`,
        hint: plural(asked.length, 'wording', 'wordings') + ' that chose nothing', ...share,
        get: (result) => test(result) && test(result)[form] && {mean: test(result)[form].found},
      });
    }
  }
  return rows.filter((row) => results.some((result) => row.get(result)));
}

const unionOf = (results, keys) => [...new Set(results.flatMap(keys))];

/** The difference from the base with its standard error: the paired one where it was measured, else as if independent. */
function differenceOf(base, value) {
  if (value.change) return value.change;
  if (!isNumber(base.stderr) || !isNumber(value.stderr)) return {mean: value.mean - base.mean};
  return {mean: value.mean - base.mean, stderr: Math.hypot(base.stderr, value.stderr)};
}

/** 'worse', 'better' or '' when the difference is within two standard errors or has no error to compare with. */
function verdict(row, base, value) {
  const {mean, stderr} = differenceOf(base, value);
  if (!isNumber(stderr) || Math.abs(mean) <= 2 * stderr) return '';
  return (mean > 0) === Boolean(row.lower) ? 'worse' : 'better';
}

function valueCell(row, value) {
  if (!value || !isNumber(value.mean)) return h('td', {class: 'none'}, '\u2013');
  const error = isNumber(value.stderr) && h('small', {}, ' \u00b1\u202f' + row.text(value.stderr));
  return h('td', {}, row.text(value.mean), error);
}

function differenceCell(row, base, value) {
  if (!row.change || !base || !value) return h('td', {class: 'none'});
  const judged = verdict(row, base, value);
  const difference = value.mean - base.mean;
  const sign = {worse: '\u25be ', better: '\u25b4 '}[judged] || '';
  return h('td', {class: 'difference ' + judged}, sign, row.change(difference, base.mean),
      judged ? h('span', {class: 'unseen'}, ' ' + judged) : null);
}

/** Shares from 0 to 1 on a line, with whiskers of one standard error. */
function dotPlot(row, states) {
  if (!row.fraction) return h('td', {class: 'plotted'});
  const [width, height] = [150, 22];
  const x = (share) => (6 + share * (width - 12)).toFixed(1);
  const marks = states.map(({name, result}, i) => {
    const value = row.get(result);
    if (!value || !isNumber(value.mean)) return null;
    const y = (height * (i + 1)) / (states.length + 1);
    const error = value.stderr || 0;
    return svg('g', {class: 'state-' + (['base', 'plan'].includes(name) ? name : 'later')},
        svg('line', {x1: x(Math.max(0, value.mean - error)), x2: x(Math.min(1, value.mean + error)), y1: y, y2: y}),
        svg('circle', {cx: x(value.mean), cy: y, r: 3.2}));
  });
  const axisLine = svg('line', {class: 'axis', x1: x(0), x2: x(1), y1: height / 2, y2: height / 2});
  const ticks = [0, 0.5, 1].map((share) => svg('line', {class: 'axis', x1: x(share), x2: x(share), y1: 3, y2: height - 3}));
  return h('td', {class: 'plotted'}, svg('svg', {width, height, 'aria-hidden': 'true'}, axisLine, ticks, marks));
}

function qualityTable(states, rows) {
  const base = states[0];
  const others = states.slice(1);
  const columns = 3 + 2 * others.length;
  const head = h('tr', {}, h('th', {scope: 'col'}, h('span', {class: 'unseen'}, 'Measure')), h('th', {scope: 'col'}, stateName(base.name)),
      others.map(({name}) => [h('th', {scope: 'col'}, stateName(name)), h('th', {scope: 'col'}, 'difference')]),
      h('th', {scope: 'col', class: 'plotted'}, h('span', {}, '0\u202f%'), h('span', {}, '100\u202f%')));
  const body = [];
  let group = '';
  for (const row of rows) {
    if (row.group !== group) body.push(h('tr', {class: 'group'}, h('th', {colspan: columns, scope: 'colgroup'}, row.group)));
    group = row.group;
    const before = row.get(base.result);
    body.push(h('tr', {}, h('th', {scope: 'row'}, row.label, h('small', {}, row.hint)), valueCell(row, before),
        others.map(({result}) => [valueCell(row, row.get(result)), differenceCell(row, before, row.get(result))]), dotPlot(row, states)));
  }
  return [h('thead', {}, head), h('tbody', {}, body)];
}

/** 'Of 9 measures, 1 is clearly worse (recall in 512 tokens); the others are the same within the error of measuring.' */
function qualitySummary(states, rows) {
  const last = states[states.length - 1];
  const judged = rows.map((row) => ({row, before: row.get(states[0].result), after: row.get(last.result)}))
      .filter(({row, before, after}) => row.change && before && after && isNumber(differenceOf(before, after).stderr));
  const names = (which) => judged.filter(({row, before, after}) => verdict(row, before, after) === which).length;
  const [worse, better] = [names('worse'), names('better')];
  const rest = judged.length - worse - better;
  const parts = [];
  if (worse) parts.push(`${worse} ${worse === 1 ? 'is' : 'are'} clearly worse`);
  if (better) parts.push(`${better} ${better === 1 ? 'is' : 'are'} clearly better`);
  if (rest) parts.push(`${rest} ${rest === 1 ? 'shows' : 'show'} no difference beyond the error of measuring`);
  return `The model as it was and ${stateName(last.name)} read the same texts and answered the same questions. ` +
      `Of ${plural(judged.length, 'measure', 'measures')}, ${listed(parts)}.`;
}

function drawQuality(report) {
  const states = report.quality;
  if (!states.length) return;
  byId('lost').hidden = false;
  const results = states.map(({result}) => result);
  const draw = (normalised) => {
    const rows = qualityRows(results, normalised);
    byId('quality').replaceChildren(...qualityTable(states, rows));
    byId('lost-summary').textContent = states.length > 1 ? qualitySummary(states, rows) : '';
  };
  if (results.some(({tasks}) => Object.values(tasks || {}).some((task) => isNumber(task.acc_norm)))) {
    byId('quality-control').replaceChildren(radios('An answer is chosen by its likelihood',
        [{value: false, label: 'as it is'}, {value: true, label: 'per character of its length'}], false, draw));
  }
  draw(false);
}
