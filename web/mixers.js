// What a layer uses to look back, from its written form ("softmax", "window:64+4", "hybrid:64+4",
// "gated:128", "map", "none") or a plan's entry. mixerKinds has what each kind says of itself (PageLook
// of src/mixer/descriptor.h), from the most reach to the least.

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
  const known = mixerKinds[mixer.kind];
  return known ? known.name.replace('{window}', decimal(mixer.window)) : mixer.kind;
}

/** Whether mixerName() ends with a number of tokens. */
const nameEndsWithTokens = ({kind}) => Boolean(mixerKinds[kind]) && mixerKinds[kind].name.endsWith('{window}');

/** As the choice that was tried for a layer: 'removed', 'window of 64', ... */
const choiceName = (written) => mixerName(parseMixer(written));

/** One sentence about what a layer with it does. */
function mixerDoes(mixer) {
  const known = mixerKinds[mixer.kind];
  if (!known) return '';
  if (!known.window) return known.does;
  const first = mixer.sinks ? ` and the first ${mixer.sinks} of the text` : '';
  return `It looks back at the last ${decimal(mixer.window)} tokens${first}` + known.does;
}

const hasWindow = ({kind}) => Boolean(mixerKinds[kind]) && mixerKinds[kind].window;

/** How many of `length` earlier tokens it keeps in the cache; undefined for kinds that aren't known. */
function mixerKeeps(mixer, length) {
  const known = mixerKinds[mixer.kind];
  const kept = {all: length, window: Math.min(length, mixer.window + mixer.sinks), nothing: 0};
  return known ? kept[known.keeps] : undefined;
}

/** Bytes of the summary that it keeps beside tokens: 32-bit numbers, d features of d values and a total for each head. */
function mixerStateBytes(mixer, model, length) {
  const known = mixerKinds[mixer.kind];
  const there = {never: false, always: length > 0, behind: length > mixer.window + mixer.sinks};
  return known && there[known.state] ? 4 * model.heads * model.head_size * (model.head_size + 1) : 0;
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
