// How the plan was chosen: what each layer loses by each choice, by each measure; and whether the measures agree.

const choiceLooks = [
  {colour: '--none-line', point: 'crossRot'},
  {colour: '--window-line', point: 'rect'},
  {colour: '--window-line-2', point: 'triangle'},
  {colour: '--map-line', point: 'rectRot'},
  {colour: '--accent', point: 'circle'},
  {colour: '--healed', point: 'star'},
];

/** [{choice, values}], one per choice that has this measure, or one for a measure of the layer itself; values as measuredLayers(). */
function sensitivitySeries(analysis, key) {
  const layers = measuredLayers(analysis);
  // Single heads are in each layer's table: as lines they would be too many.
  const tried = analysis.choices.filter((choice) => !parseMixer(choice).full.length && layers.some(({choices}) => choices[choice] && choices[choice][key]));
  if (tried.length) return tried.map((choice) => ({choice, values: layers.map(({choices}) => choices[choice] && choices[choice][key])}));
  return [{choice: null, values: layers.map((layer) => layer[key])}];
}

/** The lowest value that the log scale shows, a power of ten: none of the larger values is lost, noise near 0 is. */
function floorOf(means) {
  const positive = means.filter((mean) => mean > 0);
  return 10 ** Math.floor(Math.log10(Math.max(Math.min(...positive), Math.max(...positive) / 3000)));
}

/** Whether the plan, or where there is none a rung of the ladder, gives the layer this mixer, be it in some heads. */
function isChosen({plan, ladder}, layer, choice) {
  const without = (mixer) => mixer.written.split('/')[0];
  const gives = (rung) => rung.layer === layer && without(parseMixer(rung.mixer)) === choice;
  if (!plan && ladder) return ladder.rungs.some(gives);
  const entry = plan && plan.layers.find((one) => one.layer === layer);
  return Boolean(entry) && without(mixerOfEntry(entry)) === choice;
}

/** The layers measured so far, in order. */
const measuredLayers = (analysis) => [...analysis.layers].sort((a, b) => a.layer - b.layer);

function sensitivityDataset({choice, values}, index, layers, floor, report) {
  const look = choiceLooks[index % choiceLooks.length];
  const main = colour(look.colour);
  const cross = ['crossRot', 'star'].includes(look.point);
  const shown = values.map((value) => (value ? (floor ? Math.max(value.mean, floor) : value.mean) : null));
  const low = (value) => floor && value && value.mean < floor;
  return {
    label: choice === null ? 'this layer' : choiceName(choice), data: shown.map((y, i) => ({x: layers[i], y})), borderColor: main,
    errors: values.map((value) => value && isNumber(value.stderr) && !low(value) && [value.mean - value.stderr, value.mean + value.stderr]),
    trueValues: values, showLine: false, pointStyle: look.point, borderWidth: 1.5,
    pointBackgroundColor: values.map((value) => (low(value) ? colour('--paper') : main)), pointBorderColor: main,
    pointBorderWidth: cross ? 2 : 1.5, pointRadius: layers.map((layer) => (isChosen(report, layer, choice) ? 6 : 3.5)), pointHoverRadius: 7,
  };
}

function sensitivityChart(report, key) {
  const {analysis, plan} = report;
  const series = sensitivitySeries(analysis, key);
  const means = series.flatMap(({values}) => values.filter(Boolean).map((value) => value.mean));
  const logarithmic = means.filter((mean) => mean > 0).length >= means.length / 2;
  const floor = logarithmic ? floorOf(means) : 0;
  const layers = measuredLayers(analysis).map(({layer}) => layer);
  const datasets = series.map((one, index) => sensitivityDataset(one, index, layers, floor, report));
  const count = analysis.model.layers;
  const label = (item) => `${item.dataset.label}: ${withError(item.dataset.trueValues[item.dataIndex])}` +
      (isChosen(report, layers[item.dataIndex], series[item.datasetIndex].choice) ? ' (chosen)' : '');
  const kept = plan ? plan.layers.filter((entry) => entry.mixer === 'softmax').map(({layer}) => layer) : null;
  const tick = (value) => (logarithmic && value <= floor * 1.001 ? '\u2264 ' : '') + significant(value);
  return {
    type: 'scatter', data: {datasets}, label: `${measureName(key)} of ${count} layers, for ${datasets.map((d) => d.label).join(', ')}`,
    scales: {
      x: axis('layer', {min: -0.5, max: count - 0.5, afterBuildTicks: (x) => { x.ticks = layerTicks(count, x.width); },
        grid: {display: false, borderColor: colour('--line')}, ticks: {callback: (v) => String(v), autoSkip: false}}),
      y: logarithmic ? logAxis(floor, 1.7 * Math.max(...means), tick) : axis('', {grace: '5%', title: {display: false}, ticks: {callback: tick}}),
    },
    plugins: {
      bands: {columns: kept, fill: colour('--band')},
      tooltip: {mode: 'x', callbacks: {title: (items) => (items.length ? `Layer ${layers[items[0].dataIndex]}` : ''), label}},
    },
  };
}

/** Ticks at whole layers, none closer than 22 pixels. */
function layerTicks(count, width) {
  const step = [1, 2, 5, 10, 20, 50].find((s) => (width / count) * s >= 22) || 100;
  return Array.from({length: Math.ceil(count / step)}, (_, i) => ({value: i * step}));
}

function sensitivityNumbers(analysis, key) {
  const series = sensitivitySeries(analysis, key);
  const head = ['Layer', ...series.map(({choice}) => (choice === null ? measureName(key) : choiceName(choice)))];
  const rows = measuredLayers(analysis).map(({layer}, i) => [String(layer), ...series.map(({values}) => withError(values[i]))]);
  return numbersBelow(head, rows);
}

function drawSensitivity(report) {
  const {analysis} = report;
  if (!analysis) return;
  const rungs = !report.plan && report.ladder;
  if (rungs) byId('chosen-title').textContent = 'How the rungs were chosen';
  byId('chosen').hidden = byId('sensitivity').hidden = false;
  const keys = analysis.measures;
  let key = keys[0];
  const text = () => {
    const long = measures[key] ? measures[key].long : key;
    const ofChoices = sensitivitySeries(analysis, key)[0].choice !== null;
    const large = rungs ? 'rungs of the ladder' : 'what the plan chose';
    byId('sensitivity-text').textContent = (ofChoices ? `Each mark is one change, made in one layer alone, and shows ${long}. ` :
      `Each mark is one layer of the unchanged model, and shows ${long}. `) + 'Higher means that the layer needs its attention more. ' +
        (ofChoices ? `Large marks are ${large}; hollow marks at the bottom are too small to show, or below zero. ` : '') +
        (analysis.data.estimated && ['kl', 'nll', 'retrieval'].includes(key) ? 'What windows lose is estimated from gradients, too low for recall; other changes are measured. ' : '') +
        (rungs ? 'The order of the rungs comes from changes made together.' : 'Shaded layers keep full attention.');
    byId('sensitivity-numbers').replaceChildren(sensitivityNumbers(analysis, key));
  };
  text();
  const draw = makeChart(byId('sensitivity-chart'), '', () => sensitivityChart(report, key));
  const change = (value) => {
    key = value;
    text();
    draw();
  };
  byId('sensitivity-controls').replaceChildren(
      radios('Measured by', keys.map((value) => ({value, label: measureName(value)})), key, change));
}

function drawCorrelation(report) {
  const list = report.analysis && report.analysis.rank_correlation;
  if (!list || !list.length) return;
  byId('chosen').hidden = byId('correlation').hidden = false;
  const pairs = [...new Map(list.map(({a, b}) => [a + '\n' + b, {a, b}])).values()];
  const choices = [...new Set(list.map(({choice}) => choice))].filter((choice) => !choice || !parseMixer(choice).full.length);
  const value = (choice, {a, b}) => list.find((entry) => entry.choice === choice && entry.a === a && entry.b === b);
  const cell = (entry) => {
    const x = entry ? entry.spearman : undefined;
    const strength = isNumber(x) ? Math.round(100 * Math.min(1, Math.abs(x))) : 0;
    return h('td', {class: 'shade', style: `--strength:${strength}%`}, decimal(x, 2));
  };
  byId('correlation-table').replaceChildren(
      h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'Measures'), choices.map((choice) => h('th', {scope: 'col'}, choice ? choiceName(choice) : '')))),
      h('tbody', {}, pairs.map((pair) => h('tr', {}, h('th', {scope: 'row'}, `${measureName(pair.a)} and ${measureName(pair.b)}`),
          choices.map((choice) => cell(value(choice, pair)))))));
}
