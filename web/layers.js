// What was changed: the strip, its legend, and what is known of one layer.

/** Short and long names of the measures. */
const measures = {
  kl: {short: 'Predictions (KL)', long: 'how far the predictions move away from the original\u2019s (KL divergence, in nats)'},
  nll: {short: 'Text (\u0394NLL)', long: 'how much more the model is surprised by text (loss per token, in nats)'},
  task: {short: 'Tasks', long: 'how much accuracy is lost, on average over the tasks'},
  retrieval: {short: 'Recall', long: 'how much less likely a number from far back becomes (drop in log-probability, in nats)'},
  cosine: {short: 'Similarity', long: 'how alike a layer\u2019s input and output are (cosine); alike means that the layer does little'},
  entropy: {short: 'Entropy', long: 'how widely its attention spreads (entropy with a minus sign: higher means more focused)'},
};
const measureName = (key) => (measures[key] ? measures[key].short : key);

function legendEntry({mixer, count}) {
  return h('li', {}, h('span', {class: cellClass(mixer), 'aria-hidden': 'true'}, cellLook(mixer)),
      h('span', {}, h('b', {}, `${count} \u00d7 ${mixerName(mixer)}`), ' ', mixerDoes(mixer)));
}

/** What each choice would cost this layer, by the analysis if there is one, else by the plan's scores. */
function scoreTable(report, layer, mixer) {
  const measured = report.analysis && report.analysis.layers.find((entry) => entry.layer === layer);
  const mark = (written) => (written === mixer.written ? h('b', {}, choiceName(written), ' \u2190 chosen') : choiceName(written));
  if (measured) {
    const names = report.analysis.measures.filter((key) => Object.values(measured.choices).some((scores) => scores[key]));
    return h('table', {},
        h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'If it were'), names.map((key) => h('th', {scope: 'col'}, measureName(key))))),
        h('tbody', {}, Object.entries(measured.choices).map(([written, scores]) => h('tr', {},
            h('th', {scope: 'row'}, mark(written)), names.map((key) => h('td', {}, withError(scores[key])))))));
  }
  const scores = Object.entries(report.plan.layers[layer].scores || {}).filter(([, value]) => isNumber(value));
  if (!scores.length) return null;
  return h('table', {}, h('tbody', {}, scores.map(([written, value]) =>
    h('tr', {}, h('th', {scope: 'row'}, mark(written)), h('td', {}, significant(value))))));
}

function drawLayers(report) {
  if (!report.plan) return;
  const mixers = report.plan.layers.map(mixerOfEntry);
  byId('changed').hidden = false;
  byId('legend').replaceChildren(...countMixers(mixers).map(legendEntry));
  const show = (layer) => {
    const table = scoreTable(report, layer, mixers[layer]);
    byId('detail').replaceChildren(
        h('p', {}, h('b', {}, `Layer ${layer}: ${mixerName(mixers[layer])}.`), ' ', mixerDoes(mixers[layer]),
            table ? ' What each change would cost, made in this layer alone:' : ''),
        table ? h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Scores of the layer'}, table) : '');
  };
  const choose = activeStrip(byId('strip'), mixers, show);
  const full = mixers.map((mixer) => mixer.kind).lastIndexOf('softmax');
  choose(Math.max(0, full));
}
