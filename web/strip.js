// The strip of layers: one cell each, filled as far as the layer can look back.

const stripContext = 2048;  // the length at which a cell of full attention and one of a window are compared
const minCell = 30;         // pixels, with the gap

/** How full a cell is, 0 to 1: the square root, so that narrow windows can be told apart. */
function cellFill(mixer) {
  const kept = mixerKeeps(mixer, stripContext);
  return kept === undefined ? 0.3 : Math.sqrt(kept / stripContext);
}

function cellLook(mixer) {
  const width = hasWindow(mixer) ? h('small', {}, String(mixer.window)) : null;
  return [h('i', {style: `height:${(100 * cellFill(mixer)).toFixed(1)}%`}), h('b', {}, mixerLetter(mixer)), width];
}

const cellClass = (mixer) => 'cell ' + (mixerKinds[mixer.kind] ? mixerKinds[mixer.kind].style : 'other');

/** Rows of equal length, as few as the width allows. */
function balanceRows(strip, count) {
  const fit = Math.max(1, Math.floor(strip.clientWidth / minCell));
  const rows = Math.ceil(count / fit);
  strip.style.setProperty('--columns', String(Math.ceil(count / rows)));
}

function keepBalanced(strip, count) {
  // In the next frame: other rows mean another height, which the observer must not see while it reports.
  new ResizeObserver(() => requestAnimationFrame(() => balanceRows(strip, count))).observe(strip);
}

/**
 * A strip to look at: draw(mixers, now) shows other ones. Cells that differ from `reference` are marked, and that of the
 * layer `now`, if given, is outlined.
 */
function plainStrip(container, reference) {
  const strip = h('div', {class: 'strip plain', role: 'img'});
  container.replaceChildren(strip);
  keepBalanced(strip, reference.length);
  return (mixers, now) => {
    const words = countMixers(mixers).map(({mixer, count}) => `${count} ${mixerName(mixer)}`);
    strip.setAttribute('aria-label', 'Layers: ' + listed(words));
    strip.replaceChildren(...mixers.map((mixer, layer) => {
      const differs = reference[layer] && reference[layer].written !== mixer.written;
      const marks = (differs ? ' differs' : '') + (layer === now ? ' selected' : '');
      return h('div', {class: 'slot'},
          h('div', {class: cellClass(mixer) + marks}, cellLook(mixer)), h('span', {}, String(layer)));
    }));
  };
}

/** A strip whose cells can be pointed at, tapped, and walked along with the arrow keys; calls show(layer). */
function activeStrip(container, mixers, show) {
  const cells = mixers.map((mixer, layer) => h('button', {
    type: 'button', class: cellClass(mixer), tabindex: -1, 'aria-label': `Layer ${layer}: ${mixerName(mixer)}`,
    onfocus: () => choose(layer), onmouseenter: () => choose(layer), onclick: () => choose(layer),
  }, cellLook(mixer)));
  const strip = h('div', {class: 'strip', role: 'group', 'aria-label': 'The layers, first to last'},
      cells.map((cell, layer) => h('div', {class: 'slot'}, cell, h('span', {}, String(layer)))));

  function choose(layer) {
    cells.forEach((cell, i) => {
      cell.tabIndex = i === layer ? 0 : -1;
      cell.classList.toggle('selected', i === layer);
    });
    show(layer);
  }
  strip.addEventListener('keydown', (event) => {
    const steps = {ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -cells.length, End: cells.length};
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = cells.indexOf(document.activeElement) + steps[event.key];
    cells[Math.min(cells.length - 1, Math.max(0, next))].focus();
  });
  container.replaceChildren(strip);
  keepBalanced(strip, mixers.length);
  return choose;
}
