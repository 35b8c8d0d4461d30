// How it was measured: the runs behind the numbers, their commands, and the fingerprints of what they used.

const partNames = {boost: 'Everything, start to end', analysis: 'What each layer is worth', quality: 'Quality', speed: 'Speed'};

function allRuns(report) {
  const times = report.boost.runs;
  const runs = [{what: times > 1 ? `Everything, ${times} runs together` : partNames.boost, run: report.boost.run}, {what: partNames.analysis, run: report.analysis && report.analysis.run}];
  if (report.healing) runs.push({what: 'Healing', run: report.healing.run});
  if (report.ladder) runs.push({what: 'Ladder', run: report.ladder.run});
  for (const part of ['quality', 'speed']) {
    for (const {name, result} of report[part]) runs.push({what: `${partNames[part]}, ${stateName(name)}`, run: result.run});
  }
  return runs.filter(({run}) => run);
}

function runEntry({what, run}) {
  const [cpu, precision, version, command] =
      ['cpu', 'precision', 'version', 'command'].map((key) => memberOf(run, key, 'string'));
  const facts = [isNumber(run.seconds) && duration(run.seconds), cpu,
    isNumber(run.threads) && plural(run.threads, 'thread', 'threads'), precision, isNumber(run.seed) && `seed ${run.seed}`,
    version && `layerboost ${version}`];
  return h('div', {class: 'run'}, h('p', {}, h('b', {}, what), h('span', {}, facts.filter(Boolean).join(' \u00b7 '))),
      command ? h('code', {}, commandWords(command)) : null);
}

function measuredText(report) {
  const {data, model} = report.analysis || {};
  const texts = [];
  if (model && isNumber(model.layers)) {
    texts.push(`${model.name} has ${model.layers} layers of width ${decimal(model.hidden)}, each with ${model.heads} attention heads that share ${model.kv_heads} sets of keys and values.`);
  }
  if (data) texts.push(`What each layer is worth was measured on ${decimal(data.tokens)} tokens (${data.sequences} texts of ${decimal(data.length)}, ${data.source === 'self' ? 'which it wrote itself' : 'from ' + data.source}).`);
  const perplexity = report.quality.length && report.quality[0].result.perplexity;
  const result = report.quality.length ? report.quality[0].result : {};
  const source = isWrittenByModel(result) ? 'of text that it wrote itself ' : textName(result) ? `of ${textName(result)} ` : '';
  if (perplexity) texts.push(`Perplexity was measured on ${decimal(perplexity.tokens)} tokens ${source}in ${decimal(perplexity.windows)} windows.`);
  if (report.ladder) texts.push(ladderMeasuredText(report));
  return texts.filter(Boolean).join(' ');
}

/** The files that quality was measured on. */
function dataHashes({quality}) {
  const {text, tasks} = (quality.length && quality[0].result.data) || {};
  const files = [['Text of the perplexity', text], ...Object.entries(tasks || {}).map(([name, file]) => [taskWords(name, 0).label, file])];
  return files.filter(([, file]) => file).map(([name, file]) => [name, file.hash]);
}

function drawRuns(report) {
  byId('measured-text').textContent = measuredText(report);
  byId('runs').replaceChildren(...allRuns(report).map(runEntry));
  const hashes = [['Model', report.boost.model.hash], ['Plan', report.plan_hash],
    ...ladderHashes(report),
    ['What healing learnt', report.healing && report.healing.adapter],
    ['Text that layers were measured on', report.analysis && report.analysis.data.hash], ...dataHashes(report)];
  byId('hashes').replaceChildren(...hashes.filter(([, hash]) => hash).flatMap(([name, hash]) => [h('dt', {}, name), h('dd', {}, h('code', {}, hash))]));
  byId('made-by').textContent = `Made by layerboost ${report.written_by}. This page is one file: nothing is fetched from anywhere.`;
  byId('download').addEventListener('click', () => {
    const url = URL.createObjectURL(new Blob([byId('data').textContent], {type: 'application/json'}));
    h('a', {href: url, download: 'report.json'}).click();
    URL.revokeObjectURL(url);
  });
}
