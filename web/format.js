// Numbers and lengths of time as people write them, and whether they are there. A missing number is a dash.

const minus = (text) => text.replace('-', '\u2212');
const isNumber = (x) => typeof x === 'number' && Number.isFinite(x);

/** A member of an object that may be missing, where it is of that type. */
const memberOf = (object, key, type) => (object && typeof object[key] === type ? object[key] : undefined);

/** `x` with `digits` decimals and thousands apart: 1,234.5. */
function decimal(x, digits = 0) {
  if (!isNumber(x)) return '\u2013';
  return minus(x.toLocaleString('en', {minimumFractionDigits: digits, maximumFractionDigits: digits}));
}

/** `x` with about `digits` digits that count: 0.0123, 45.7, 1,230. */
function significant(x, digits = 3) {
  if (!isNumber(x)) return '\u2013';
  if (x !== 0 && Math.abs(x) < 1e-4) return minus(x.toExponential(digits - 1));
  return minus(x.toLocaleString('en', {maximumSignificantDigits: digits}));
}

/** As `text`, with a plus sign where nothing is less. */
const signed = (x, text) => (x > 0 ? '+' : '') + text;

const percent = (fraction, digits = 0) => (isNumber(fraction) ? decimal(100 * fraction, digits) + '\u202f%' : '\u2013');
const times = (ratio) => (isNumber(ratio) ? decimal(ratio, ratio < 10 ? 1 : 0) + '\u00d7' : '\u2013');

/** mean ± standard error, of {mean, stderr}. */
function withError(value, digits = 3) {
  if (!value || !isNumber(value.mean)) return '\u2013';
  return significant(value.mean, digits) + (isNumber(value.stderr) ? ' \u00b1 ' + significant(value.stderr, 2) : '');
}

/** Bytes in kB, MB or GB of a thousand each. */
function bytes(count) {
  if (!isNumber(count)) return '\u2013';
  if (count === 0) return '0';
  const units = [[1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB']];
  const [size, name] = units.find(([unit]) => count >= unit) || [1, 'bytes'];
  return significant(count / size, 3) + '\u202f' + name;
}

function duration(seconds) {
  if (!isNumber(seconds)) return '\u2013';
  if (seconds < 60) return significant(seconds, 2) + '\u202fs';
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? minutes + '\u202fmin' : Math.floor(minutes / 60) + '\u202fh ' + (minutes % 60) + '\u202fmin';
}

const plural = (count, one, many) => decimal(count) + ' ' + (count === 1 ? one : many);

/** 'a', 'a and b', 'a, b and c'. */
function listed(words) {
  return words.length < 2 ? words.join('') : words.slice(0, -1).join(', ') + ' and ' + words[words.length - 1];
}
