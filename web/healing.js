// What healing brought back: the loss while it learnt, and on held-out text.

const millions = (tokens) => tokens / 1e6;

function healingText({figures = {}, options = {}}) {
  const {tokens, steps, seconds, before, after, held_out: heldOut} = figures;
  const parts = [];
  if (isNumber(tokens)) {
    parts.push(`The changed model read ${decimal(millions(tokens), tokens < 1e7 ? 2 : 0)} million tokens in ${decimal(steps)} steps` +
        (isNumber(seconds) ? `, which took ${duration(seconds)}.` : '.'));
  }
  if (before && after) {
    const whose = heldOut === 'self' ? ' that the original wrote' : '';
    parts.push(`On held-out text${whose} its distance from the original (KL divergence) went from ${significant(before.kl)} to ${significant(after.kl)}, ` +
        `and its perplexity from ${decimal(before.perplexity, 2)} to ${decimal(after.perplexity, 2)}` +
        (isNumber(after.teacher_perplexity) ? `; the original\u2019s is ${decimal(after.teacher_perplexity, 2)}.` : '.'));
  }
  if (isNumber(options.rank)) parts.push(`What it learnt are changes of rank ${options.rank} to its weights.`);
  return parts.join(' ');
}

function healingChart({curve, measured}) {
  const learning = {
    type: 'line', label: 'while learning', data: curve.map(([tokens, kl]) => ({x: millions(tokens), y: kl})), borderColor: colour('--accent'),
    backgroundColor: colour('--accent'), borderWidth: 1, pointRadius: 0, pointStyle: 'line',
  };
  const heldOut = {
    type: 'line', label: 'on held-out text', data: measured.map(({tokens, kl}) => ({x: millions(tokens), y: kl})), borderColor: colour('--healed'),
    backgroundColor: colour('--healed'), borderWidth: 2, pointRadius: 3.5, pointStyle: 'triangle',
  };
  const last = measured[measured.length - 1];
  return {
    type: 'line',
    data: {datasets: [heldOut, learning].filter(({data}) => data.length)},
    scales: {x: axis('million tokens read', {type: 'linear', min: 0}), y: axis('KL divergence from the original', {beginAtZero: true})},
    label: 'The distance from the original while healing' + (last ? `, ${significant(last.kl)} on held-out text at the end` : ''),
  };
}

function drawHealing({healing}) {
  if (!healing) return;
  byId('healing').hidden = false;
  byId('healing-text').textContent = healingText(healing);
  if (healing.curve.length || healing.measured.length) makeChart(byId('healing-chart'), '', () => healingChart(healing));
}
