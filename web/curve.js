// How far to go: the curve of loss against memory, and a slider along it.

function curveChart(points, current, pick) {
  const chosen = points.findIndex((point) => point.chosen);
  const data = points.map((point) => ({x: 100 * point.kv_fraction, y: point.loss}));
  const only = (index) => (index < 0 ? [] : [data[index]]);
  const label = (item) => {
    const point = points.find((p) => 100 * p.kv_fraction === item.parsed.x);
    return `${percent(point.kv_fraction)} of the cache: loss ${significant(point.loss)}` +
        (isNumber(point.speedup) ? `, ${decimal(point.speedup, 2)}\u00d7 as fast` : '');
  };
  return {
    type: 'scatter', label: `Predicted loss against cache memory, ${points.length} plans`,
    data: {
      datasets: [
        {label: 'shown below', data: only(current), pointRadius: 9, pointHoverRadius: 9, pointStyle: 'circle', borderWidth: 2.5, borderColor: colour('--ink'), backgroundColor: 'transparent'},
        {label: 'the plan of this page', data: only(chosen), pointRadius: 6, pointStyle: 'rectRot', borderColor: colour('--window-line'), backgroundColor: colour('--window')},
        {label: 'other plans', data, showLine: true, borderWidth: 1.5, pointRadius: 3, pointStyle: 'circle', borderColor: colour('--accent'), backgroundColor: colour('--accent')},
      ],
    },
    scales: {
      x: axis('cache memory kept (less to the right)', {reverse: true, min: 0, max: 100, ticks: {callback: (v) => v + '\u202f%'}}),
      y: axis('predicted loss (KL)', {beginAtZero: true, ticks: {callback: (v) => significant(v), maxTicksLimit: 6}}),
    },
    plugins: {tooltip: {callbacks: {label}, filter: (item, index) => index === 0}},
    onClick: (event, elements, chart) => {
      const near = chart.getElementsAtEventForMode(event, 'nearest', {intersect: false}, true);
      const line = near.find(({datasetIndex}) => datasetIndex === 2);
      if (line) pick(line.index);
    },
  };
}

function copyButton(text) {
  const button = h('button', {type: 'button', onclick: async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);  // for Ctrl+C, where pages may not write
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  }}, 'Copy');
  return button;
}

const speedFor = ({batch, context}) => 'of writing' + (batch ? ` for ${plural(batch, 'reader', 'readers')} of ${decimal(context)} tokens` : '');

function curveFigures(point, curve) {
  return [
    figure('Predicted loss', significant(point.loss), 'KL divergence from the original, in nats'),
    figure('Cache memory', percent(point.kv_fraction), `${bytes(point.kv_bytes_per_token)} a token at ${decimal(curve.context)}`),
    isNumber(point.speedup) && figure('Predicted speed', times(point.speedup), speedFor(curve)),
  ].filter(Boolean);
}

function curveNote(report) {
  const {loss, measured_loss: measured} = (report.plan && report.plan.predicted) || {};
  if (!isNumber(loss) || !isNumber(measured)) return '';
  return 'Predicted losses are sums of what each layer loses alone; together they differ somewhat. For the plan of this page: ' +
      `predicted ${significant(loss)}, measured with all its changes in place ${significant(measured)}.`;
}

function drawCurve(report) {
  const {curve} = report;
  if (!curve || !curve.points.length) return;
  byId('chosen').hidden = byId('curve').hidden = false;
  const points = [...curve.points].sort((a, b) => b.kv_fraction - a.kv_fraction || a.loss - b.loss);
  let current = Math.max(0, points.findIndex((point) => point.chosen));

  const slider = h('input', {type: 'range', id: 'curve-range', min: 0, max: points.length - 1, step: 1, value: current,
    oninput: () => show(Number(slider.value))});
  byId('curve-slider').replaceChildren(
      h('label', {for: 'curve-range'}, 'Along the curve'), slider,
      h('div', {class: 'ends', 'aria-hidden': 'true'}, h('span', {}, 'nothing changed'), h('span', {}, 'everything changed')));
  const command = h('code', {});
  byId('curve-command').replaceChildren(h('p', {}, 'The command that makes this plan:'),
      h('div', {class: 'command'}, command, copyButton(() => points[current].command)));
  byId('curve-note').textContent = curveNote(report);
  const start = points[current].layers.map(parseMixer);
  const drawStrip = plainStrip(byId('curve-strip'), start);
  const drawChart = makeChart(byId('curve-chart'), '', () => curveChart(points, current, pick));

  function pick(index) {
    slider.value = index;
    show(index);
  }
  function show(index) {
    current = index;
    const point = points[index];
    drawChart();
    drawStrip(point.layers.map(parseMixer));
    slider.setAttribute('aria-valuetext', `${percent(point.kv_fraction)} of the cache, loss ${significant(point.loss)}` + (point.chosen ? ', the plan of this page' : ''));
    byId('curve-figures').replaceChildren(...curveFigures(point, curve));
    command.replaceChildren(...commandWords(point.command || ''));
    byId('curve-command').hidden = !point.command;
  }
  show(current);
}
