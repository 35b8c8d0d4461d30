// What a layer uses to look back, from its written form ("softmax", "window:64+4", "window:64+4/full:0,2",
// "hybrid:64+4", "gated:128", "dual_state:x+norm", "map", "none") or a plan's entry. mixerKinds has what each kind says of itself (PageLook
// of src/mixer/descriptor.h), from the most reach to the least.

let kvHeads;  // of the report's model; undefined: not known

function parseMixer(written) {
  const [mixer, heads = ''] = String(written).split('/full:');
  const [kind, parameters = ''] = mixer.split(':');
  const parts = parameters ? parameters.split('+') : [];
  const variants = parts.filter((part) => Number.isNaN(Number(part)));
  const [window, sinks] = variants.length ? [] : parts.map(Number);
  const full = heads ? heads.split(',').map(Number) : [];  // the KV heads that keep everything
  return {written: String(written), kind, window: window || 0, sinks: sinks || 0, full, variants};
}

/** A mixer of an entry in plan.json's "layers". */
function mixerOfEntry(entry) {
  const sinks = entry.sinks ? `+${entry.sinks}` : '';
  const full = entry.full ? `/full:${entry.full}` : '';
  if (entry.variants && entry.variants.length) return parseMixer(`${entry.mixer}:${entry.variants.join('+')}`);
  return parseMixer(entry.window ? `${entry.mixer}:${entry.window}${sinks}${full}` : entry.mixer);
}

function mixerLetter(mixer) {
  const known = mixerKinds[mixer.kind];
  return known ? known.letter : mixer.kind.slice(0, 1).toUpperCase();
}

/** 'full attention', 'window of 64', 'window of 64 in 2 of 3 heads', ... */
function mixerName(mixer) {
  const known = mixerKinds[mixer.kind];
  if (!known) return mixer.kind;
  const name = known.name.replace('{window}', decimal(mixer.window));
  if (!mixer.full.length) return name;
  return name + (kvHeads ? ` in ${kvHeads - mixer.full.length} of ${kvHeads} heads` : ` but for ${plural(mixer.full.length, 'head', 'heads')}`);
}

/** Whether mixerName() ends with a number of tokens. */
const nameEndsWithTokens = ({kind, full}) => Boolean(mixerKinds[kind]) && mixerKinds[kind].name.endsWith('{window}') && !full.length;

/** 'head 1', 'heads 0 and 2', ... */
const headsInWords = (heads) => `${heads.length > 1 ? 'heads' : 'head'} ${listed(heads.map(String))}`;

/** As the choice that was tried for a layer: 'removed', 'window of 64', 'window of 64 but for heads 0 and 2', ... */
function choiceName(written) {
  const mixer = parseMixer(written);
  if (!mixer.full.length) return mixerName(mixer);
  return `${mixerName({...mixer, full: []})} but for ${headsInWords(mixer.full)}`;
}

/** One sentence about what a layer with it does. */
function mixerDoes(mixer) {
  const known = mixerKinds[mixer.kind];
  if (!known) return '';
  if (!known.window) return known.does;
  const first = mixer.sinks ? ` and the first ${mixer.sinks} of the text` : '';
  const whole = mixer.full.length ? ` In its ${headsInWords(mixer.full)} it looks back at everything.` : '';
  return `It looks back at the last ${decimal(mixer.window)} tokens${first}` + known.does + whole;
}

const hasWindow = ({kind}) => Boolean(mixerKinds[kind]) && mixerKinds[kind].window;

/** How many of `length` earlier tokens it keeps in the cache, the mean over heads; undefined for kinds that aren't known. */
function mixerKeeps(mixer, length) {
  const known = mixerKinds[mixer.kind];
  const whole = mixer.full.length / (kvHeads || mixer.full.length + 1);
  const window = whole * length + (1 - whole) * Math.min(length, mixer.window + mixer.sinks);
  const kept = {all: length, window, nothing: 0};
  return known ? kept[known.keeps] : undefined;
}

/** What countMixers() takes as one: mixers may differ in which heads are whole, not in how many. */
const mixerKey = ({written, full}) => `${written.split('/')[0]}/${full.length}`;

/** [{mixer, count}], most reach first. Mixers of one mixerKey() count as one. */
function countMixers(mixers) {
  const counts = new Map();
  for (const mixer of mixers) {
    const key = mixerKey(mixer);
    const entry = counts.get(key) || {mixer, count: 0};
    entry.count++;
    counts.set(key, entry);
  }
  const order = Object.keys(mixerKinds);
  const rank = ({mixer}) => order.indexOf(mixer.kind) * 1e9 - mixer.window - 1e-3 * mixer.full.length;
  return [...counts.values()].sort((a, b) => rank(a) - rank(b));
}
