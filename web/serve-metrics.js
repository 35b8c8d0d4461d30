// Reading Prometheus' text format, and rates and quantiles between two readings.

/** {'name{labels}' or 'name': value}, of our own metrics. */
function parseMetrics(text) {
  const values = {};
  for (const line of text.split('\n')) {
    if (!line.startsWith('layerboost_') && !line.startsWith('process_')) continue;
    const space = line.lastIndexOf(' ');
    values[line.slice(0, space)] = Number(line.slice(space + 1).replace('+Inf', 'Infinity'));
  }
  return values;
}

/** The labels of the first metric called `name`. */
function labelsOf(values, name) {
  const key = Object.keys(values).find((found) => found.startsWith(name + '{'));
  const labels = {};
  for (const [, label, value] of (key || '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[label] = value.replace(/\\(.)/g, '$1');
  return labels;
}

/** How much a counter grew. */
const growth = (before, after, name) => (after[name] || 0) - (before[name] || 0);

/** The quantile of what a histogram took in between two readings; null: nothing. Within a bucket, evenly spread. */
function quantile(before, after, name, part) {
  const count = growth(before, after, name + '_count');
  if (count <= 0) return null;
  const pattern = new RegExp('^' + name + '_bucket\\{le="([^"]+)"\\}$');
  const buckets = Object.keys(after).map((key) => [key, key.match(pattern)]).filter(([, match]) => match)
      .map(([key, match]) => ({bound: match[1] === '+Inf' ? Infinity : Number(match[1]), below: growth(before, after, key)}))
      .sort((a, b) => a.bound - b.bound);
  const wanted = part * count;
  let [low, below] = [0, 0];
  for (const bucket of buckets) {
    if (bucket.below >= wanted) {
      if (bucket.bound === Infinity) return low;
      return low + (bucket.bound - low) * (wanted - below) / Math.max(bucket.below - below, 1);
    }
    [low, below] = [bucket.bound, bucket.below];
  }
  return low;
}
