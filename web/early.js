// Before anything is drawn: errors are counted from the start, and the page doesn't flash in the wrong colours.
document.documentElement.dataset.errors = '0';
addEventListener('error', (event) => {
  const root = document.documentElement;
  root.dataset.errors = String(Number(root.dataset.errors) + 1);
  root.dataset.error = event.message;
});
if (matchMedia('(prefers-color-scheme: dark)').matches) document.documentElement.dataset.theme = 'dark';
