// What a layer uses to look back, from its written form ("softmax", "window:64+4", "hybrid:64+4",
// "gated:128", "map", "none") or a plan's entry.

const mixerKinds = {
  softmax: {letter: 'F', name: 'full attention', does: 'It looks back at everything.'},
  window: {letter: 'W', name: 'window', does: ''},
  hybrid: {letter: 'H', name: 'window and summary', does: ''},
  gated: {letter: 'G', name: 'fading summary and window', does: ''},
  map: {letter: 'M', name: 'fixed map', does: 'It doesn\u2019t look back: a fixed map stands in for its attention.'},
  none: {letter: '\u2013', name: 'removed', does: 'Its attention was removed: it doesn\u2019t look back at all.'},
};

function parseMixer(written) {
  const [kind, parameters = ''] = String(written).split(':');
  const [window, sinks] = parameters.split('+').map(Number);
  return {written: String(written), kind, window: window || 0, sinks: sinks || 0};
}

/** A mixer of an entry in plan.json's "layers". */
function mixerOfEntry(entry) {
  const written = entry.window ? `${entry.mixer}:${entry.window}${entry.sinks ? '+' + entry.sinks : ''}` : entry.mixer;
  return parseMixer(written);
}

function mixerLetter(mixer) {
  const known = mixerKinds[mixer.kind];
  return known ? known.letter : mixer.kind.slice(0, 1).toUpperCase();
}

/** 'full attention', 'window of 64', ... */
function mixerName(mixer) {
  if (mixer.kind === 'window') return `window of ${decimal(mixer.window)}`;
  if (mixer.kind === 'hybrid') return `window of ${decimal(mixer.window)} and summary`;
  if (mixer.kind === 'gated') return `fading summary and window of ${decimal(mixer.window)}`;
  return mixerKinds[mixer.kind] ? mixerKinds[mixer.kind].name : mixer.kind;
}

/** As the choice that was tried for a layer: 'removed', 'window of 64', ... */
const choiceName = (written) => mixerName(parseMixer(written));

/** One sentence about what a layer with it does. */
function mixerDoes(mixer) {
  if (!hasWindow(mixer)) return mixerKinds[mixer.kind] ? mixerKinds[mixer.kind].does : '';
  const first = mixer.sinks ? ` and the first ${mixer.sinks} of the text` : '';
  const near = `It looks back at the last ${decimal(mixer.window)} tokens${first}`;
  if (mixer.kind === 'hybrid') return near + ', and keeps a summary of fixed size of all others.';
  if (mixer.kind === 'gated') return near + ', and keeps a summary of fixed size in which what is older fades.';
  return near + '.';
}

const hasWindow = ({kind}) => ['window', 'hybrid', 'gated'].includes(kind);

/** How many of `length` earlier tokens it keeps in the cache; undefined for kinds that aren't known. */
function mixerKeeps(mixer, length) {
  if (mixer.kind === 'softmax') return length;
  if (hasWindow(mixer)) return Math.min(length, mixer.window + mixer.sinks);
  return mixer.kind === 'map' || mixer.kind === 'none' ? 0 : undefined;
}

/** Bytes of the summary that it keeps beside tokens: 32-bit numbers, d features of d values and a total for each head. */
function mixerStateBytes(mixer, model, length) {
  const there = mixer.kind === 'hybrid' ? length > mixer.window + mixer.sinks : mixer.kind === 'gated' && length > 0;
  return there ? 4 * model.heads * model.head_size * (model.head_size + 1) : 0;
}

/** [{mixer, count}], most reach first. */
function countMixers(mixers) {
  const counts = new Map();
  for (const mixer of mixers) {
    const entry = counts.get(mixer.written) || {mixer, count: 0};
    entry.count++;
    counts.set(mixer.written, entry);
  }
  const order = Object.keys(mixerKinds);
  const rank = ({mixer}) => order.indexOf(mixer.kind) * 1e9 - mixer.window;
  return [...counts.values()].sort((a, b) => rank(a) - rank(b));
}
