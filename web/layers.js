// What was changed: the strip, its legend, and what is known of one layer.

/** Short and long names of the measures. */
const measures = {
  kl: {short: 'Predictions (KL)', long: 'how far the predictions move away from the original\u2019s (KL divergence, in nats)'},
  nll: {short: 'Text (\u0394NLL)', long: 'how much more the model is surprised by text (loss per token, in nats)'},
  task: {short: 'Tasks', long: 'how much accuracy is lost, on average over the tasks'},
  retrieval: {short: 'Recall', long: 'how much less likely answers to questions about facts far back become (drop in log-probability, in nats)'},
  cosine: {short: 'Direction', long: 'how much its attention turns what passes through (1 \u2212 cosine of before and after)'},
  entropy: {short: 'Entropy', long: 'over how much its attention is spread (entropy, in nats)'},
};
const measureName = (key) => (measures[key] ? measures[key].short : key);

function legendEntry({mixer, count}) {
  const does = mixerDoes({...mixer, full: []}) + (mixer.full.length ? ' The other heads look back at everything.' : '');
  return h('li', {}, h('span', {class: cellClass(mixer), 'aria-hidden': 'true'}, cellLook(mixer)),
      h('span', {}, h('b', {}, `${count} \u00d7 ${mixerName(mixer)}`), ' ', does));
}

/** {choice: {measure: {mean, stderr?}}} of one layer, by the analysis if there is one, else by the plan. */
function scoresOf(report, layer) {
  const measured = report.analysis && report.analysis.layers.find((entry) => entry.layer === layer);
  if (measured) return measured.choices;
  const entry = report.plan.layers.find((one) => one.layer === layer);
  const means = (scores) => Object.fromEntries(Object.entries(scores).map(([measure, mean]) => [measure, {mean}]));
  return Object.fromEntries(Object.entries(entry.scores || {}).map(([choice, scores]) => [choice, means(scores)]));
}

/** What each choice would cost this layer. */
function scoreTable(report, layer, mixer) {
  const choices = scoresOf(report, layer);
  const names = Object.keys(measures).filter((key) => Object.values(choices).some((scores) => scores[key]));
  if (!names.length) return null;
  const mark = (written) => (written === mixer.written ? h('b', {}, choiceName(written), ' \u2190 chosen') : choiceName(written));
  return h('table', {},
      h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'If it were'), names.map((key) => h('th', {scope: 'col'}, measureName(key))))),
      h('tbody', {}, Object.entries(choices).map(([written, scores]) =>
        h('tr', {}, h('th', {scope: 'row'}, mark(written)), names.map((key) => errorCell(scores[key]))))));
}

function drawLayers(report) {
  if (!report.plan) return;
  const mixers = report.plan.layers.map(mixerOfEntry);
  const areEstimated = report.analysis && report.analysis.data.estimated;
  byId('changed').hidden = false;
  byId('legend').replaceChildren(...countMixers(mixers).map(legendEntry));
  const show = (layer) => {
    const table = scoreTable(report, layer, mixers[layer]);
    byId('detail').replaceChildren(
        h('p', {}, h('b', {}, `Layer ${layer}: ${mixerName(mixers[layer])}.`), ' ', mixerDoes(mixers[layer]),
            table ? ` What each change would cost, made in this layer alone${areEstimated ? ' (of windows estimated, too low for recall)' : ''}:` : ''),
        table ? h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Scores of the layer'}, table) : '');
  };
  const choose = activeStrip(byId('strip'), mixers, show);
  const full = mixers.map((mixer) => mixer.kind).lastIndexOf('softmax');
  choose(Math.max(0, full));
}
