// What all charts share: colours from the style sheet, whiskers and ribbons, redrawing when the theme changes.

const charts = [];

/** The value of a custom property of the style sheet, such as '--ink'. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** How a state of the model is drawn: base, plan, and those that come after. */
function stateLook(name, index) {
  const looks = [
    {colour: '--base', dash: [5, 4], point: 'rect'},
    {colour: '--accent', dash: [], point: 'circle'},
    {colour: '--healed', dash: [2, 2], point: 'triangle'},
  ];
  return looks[name === 'base' ? 0 : name === 'plan' ? 1 : 2 + Math.max(0, index - 2) % 1];
}

const stateNames = {base: 'as it was', plan: 'with the plan', healed: 'healed'};
const stateName = (name) => stateNames[name] || name;

/** Chart.js plug-in: vertical whiskers of one standard error on datasets with `errors`. */
const whiskers = {
  id: 'whiskers',
  beforeDatasetsDraw(chart) {
    const {ctx, chartArea: area, scales: {y}} = chart;
    chart.data.datasets.forEach((dataset, index) => {
      if (!dataset.errors || !chart.isDatasetVisible(index)) return;
      ctx.save();
      ctx.strokeStyle = dataset.borderColor;
      ctx.globalAlpha = 0.55;
      ctx.beginPath();
      chart.getDatasetMeta(index).data.forEach((point, i) => {
        const error = dataset.errors[i];
        if (!error || point.skip) return;
        const pixel = (value) => (value <= y.min ? area.bottom : y.getPixelForValue(value));
        ctx.moveTo(point.x, Math.min(area.bottom, pixel(error[0])));
        ctx.lineTo(point.x, Math.max(area.top, pixel(error[1])));
      });
      ctx.stroke();
      ctx.restore();
    });
  },
};

/** Chart.js plug-in: shades what lies within one standard error of a line, on datasets with `ribbon` (as `errors`). */
const ribbons = {
  id: 'ribbons',
  beforeDatasetsDraw(chart) {
    const {ctx, chartArea: area, scales: {y}} = chart;
    const pixel = (value) => Math.min(area.bottom, Math.max(area.top, y.getPixelForValue(value)));
    chart.data.datasets.forEach((dataset, index) => {
      if (!dataset.ribbon || !chart.isDatasetVisible(index)) return;
      const points = chart.getDatasetMeta(index).data;
      const there = (i) => Boolean(dataset.ribbon[i]) && !points[i].skip;
      ctx.save();
      ctx.fillStyle = dataset.borderColor;
      ctx.globalAlpha = 0.2;
      for (let first = 0; first < points.length; first++) {
        if (!there(first)) continue;
        let end = first;
        while (end < points.length && there(end)) end++;
        ctx.beginPath();
        for (let i = first; i < end; i++) ctx.lineTo(points[i].x, pixel(dataset.ribbon[i][1]));
        for (let i = end - 1; i >= first; i--) ctx.lineTo(points[i].x, pixel(dataset.ribbon[i][0]));
        ctx.fill();
        first = end;
      }
      ctx.restore();
    });
  },
};

/** Chart.js plug-in: shades the columns that options.plugins.bands.columns lists (x values). */
const bands = {
  id: 'bands',
  beforeDraw(chart, _, options) {
    const {ctx, chartArea: area, scales: {x}} = chart;
    if (!options.columns) return;
    const half = Math.abs(x.getPixelForValue(1) - x.getPixelForValue(0)) / 2;
    ctx.save();
    ctx.fillStyle = options.fill;
    for (const column of options.columns) {
      ctx.fillRect(x.getPixelForValue(column) - half, area.top, 2 * half, area.bottom - area.top);
    }
    ctx.restore();
  },
};

function axis(title, more) {
  const look = {
    title: {display: true, text: title, color: colour('--soft')},
    ticks: {color: colour('--soft'), maxRotation: 0},
    grid: {color: colour('--line'), borderColor: colour('--line')},
  };
  const merged = {...look, ...more};
  merged.ticks = {...look.ticks, ...(more && more.ticks)};
  return merged;
}

/** A log scale from `min` to `max` with ticks at the powers of ten, and at 2 and 5 too where those are few. */
function logAxis(min, max, text) {
  const wanted = Math.log10(max / min) > 1.5 ? [1] : [1, 2, 5];
  const leading = (value) => Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9));
  return axis('', {
    type: 'logarithmic', min, max, title: {display: false}, ticks: {callback: text},
    afterBuildTicks: (scale) => { scale.ticks = scale.ticks.filter(({value}) => wanted.includes(leading(value))); },
  });
}

function commonOptions() {
  return {
    animation: false,
    maintainAspectRatio: false,
    interaction: {mode: 'nearest', intersect: false},
    plugins: {
      legend: {
        position: 'bottom', align: 'start',
        labels: {color: colour('--ink'), usePointStyle: true, boxWidth: 8, boxHeight: 8, padding: 14},
      },
      tooltip: {
        backgroundColor: colour('--ink'), titleColor: colour('--paper'), bodyColor: colour('--paper'), padding: 10,
        cornerRadius: 4, usePointStyle: true, boxPadding: 4,
      },
    },
  };
}

/**
 * A chart in a <figure> in `container`. `describe` is called for each drawing, and returns {type, data, scales, plugins?,
 * onClick?, label}: the last says in words what is drawn. Returns a function that draws it anew.
 */
function makeChart(container, title, describe) {
  const canvas = h('canvas', {role: 'img'});
  container.append(h('figure', {class: 'chart'}, title ? h('figcaption', {}, title) : null, h('div', {class: 'plot'}, canvas)));
  let chart = null;
  const draw = () => {
    const {type, data, scales, plugins, onClick, label} = describe();
    const options = commonOptions();
    for (const [name, more] of Object.entries(plugins || {})) options.plugins[name] = {...options.plugins[name], ...more};
    Object.assign(options, {scales, onClick});
    canvas.setAttribute('aria-label', label);
    if (chart) chart.destroy();
    chart = new Chart(canvas, {type, data, options, plugins: [whiskers, ribbons, bands]});
  };
  charts.push({draw, resize: () => chart.resize()});
  draw();
  return draw;
}

function prepareCharts() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
}

const redrawCharts = () => charts.forEach((chart) => chart.draw());
const resizeCharts = () => charts.forEach((chart) => chart.resize());
