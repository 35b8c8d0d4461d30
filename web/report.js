// Puts the page together from the data inside it.

function readReport() {
  const data = JSON.parse(byId('data').textContent);
  const find = (list, name) => (list.find((entry) => entry.name === name) || {}).result;
  // Where there is a ladder alone, the model is all that would be known of a boost.
  if (!data.boost) data.boost = {model: {name: data.ladder.model.name, hash: data.ladder.model.hash}};
  // Of a plan that was changed by hand nothing was predicted.
  const made = data.boost.plan && data.boost.plan.hash;
  if (data.plan && made && made !== data.plan_hash) delete data.plan.predicted;
  const latest = (list) => (list.length > 1 ? list[list.length - 1].result : undefined);
  return {
    ...data, name: data.boost.model.name || 'The model',
    qualityOf: (name) => find(data.quality, name), latestQuality: latest(data.quality),
    speedOf: (name) => find(data.speed, name), latestSpeed: latest(data.speed),
  };
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId('theme').textContent = theme === 'dark' ? 'Light colours' : 'Dark colours';
  redrawCharts();
}

function followTheme() {
  const isDark = () => document.documentElement.dataset.theme === 'dark';
  byId('theme').addEventListener('click', () => setTheme(isDark() ? 'light' : 'dark'));
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const follow = () => setTheme(dark.matches ? 'dark' : 'light');
  dark.addEventListener('change', follow);
  follow();  // it may have changed since early.js asked
}

/** Paper is white: charts are drawn anew in light colours, and everything is opened. */
function followPrinting() {
  let before = 'light';
  addEventListener('beforeprint', () => {
    before = document.documentElement.dataset.theme;
    setTheme('light');
    resizeCharts();
  });
  addEventListener('afterprint', () => setTheme(before));
}

/** Elements that stick out of the page, or whose text doesn't fit into a cell; those in a scrolling box may. */
function countOverflow() {
  const width = document.documentElement.clientWidth;
  const inBox = (element) => element.closest('.scroll, .unseen, .skip');
  const outside = [...document.body.querySelectorAll('*')].filter((element) => !inBox(element) && element.getBoundingClientRect().right > width + 1);
  const clipped = [...document.querySelectorAll('.cell')].filter((cell) => cell.scrollWidth > cell.clientWidth + 1);
  return outside.length + clipped.length + (document.documentElement.scrollWidth > width ? 1 : 0);
}

/** How many canvases have something drawn on them. */
function countCharts() {
  const drawn = (canvas) => {
    const {width, height} = canvas;
    return width && height && canvas.getContext('2d').getImageData(0, 0, width, height).data.some((byte) => byte);
  };
  return [...document.querySelectorAll('canvas')].filter(drawn).length;
}

/** What scripts/check-page.sh reads. */
function sayReady() {
  const state = document.documentElement.dataset;
  state.overflow = String(countOverflow());
  state.canvases = String(document.querySelectorAll('canvas').length);
  state.charts = String(countCharts());
  state.ready = 'true';
}

function drawReport() {
  const report = readReport();
  kvHeads = report.analysis && report.analysis.model.kv_heads;
  prepareCharts();
  const parts = [drawOpening, drawLayers, drawQuality, drawHealing, drawSpeed, drawLadder, drawSensitivity, drawCurve,
    drawCorrelation, drawRuns];
  for (const draw of parts) {
    try {
      draw(report);
    } catch (error) {
      reportError(error);  // the other parts can still be read
    }
  }
  followTheme();
  followPrinting();
  requestAnimationFrame(() => requestAnimationFrame(sayReady));
}

drawReport();
