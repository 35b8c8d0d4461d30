// Building the page. Texts only ever become text nodes or attributes, never markup.

const byId = (id) => document.getElementById(id);

function setProperty(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith('on')) {
    element.addEventListener(key.slice(2), value);
  } else {
    element.setAttribute(key, value === true ? '' : value);
  }
}

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties || {})) setProperty(element, key, value);
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An element: h('p', {class: 'note', onclick: f}, 'text', child, [more], null). */
function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

function svg(tag, properties, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), properties, children);
}

/** A table cell with mean ± standard error, of {mean, stderr}. */
function errorCell(value) {
  if (!value || !isNumber(value.mean)) return h('td', {class: 'none'}, '\u2013');
  return h('td', {}, significant(value.mean), isNumber(value.stderr) && h('small', {}, ' \u00b1\u202f' + significant(value.stderr, 2)));
}

/** A command line that breaks between words only, where it can. */
function commandWords(text) {
  return text.split(' ').flatMap((word, i) => [i ? ' ' : '', h('span', {class: 'word'}, word)]);
}

/** A row of radio buttons, of which one is always chosen; `options` are {value, label}. */
function radios(label, options, value, onchange) {
  const name = 'r' + radios.count++;
  const buttons = options.map((option) => h('label', {},
      h('input', {type: 'radio', name, checked: option.value === value, onchange: () => onchange(option.value)}),
      h('span', {}, option.label)));
  return h('fieldset', {class: 'radios'}, h('legend', {}, label), h('div', {}, buttons));
}
radios.count = 0;

/** A table that opens below a chart: the same numbers, for those who want or need to read them. */
function numbersBelow(head, rows) {
  const cells = (row) => row.map((cell, i) => (i ? h('td', {}, cell) : h('th', {scope: 'row'}, cell)));
  return h('details', {class: 'numbers'}, h('summary', {}, 'The numbers'),
      h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table of the numbers above'},
          h('table', {},
              h('thead', {}, h('tr', {}, head.map((title) => h('th', {scope: 'col'}, title)))),
              h('tbody', {}, rows.map((row) => h('tr', {}, cells(row)))))));
}
