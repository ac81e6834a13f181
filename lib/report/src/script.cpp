#include "sections.hpp"

namespace shiftnorm::report {

// Without the script the page loses sorting, copying and the switch of colours, and nothing else: their buttons are
// made here.
std::string_view script() {
  return R"js(
const button = (name, text, press) => {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = name;
  if (text) made.textContent = text;
  made.addEventListener('click', press);
  return made;
};

const root = document.documentElement;
const dark = () => root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
const theme = button('theme', '', () => { root.dataset.theme = dark() ? 'light' : 'dark'; label(); });
const label = () => { theme.textContent = dark() ? 'Light colours' : 'Dark colours'; };
label();
document.querySelector('header').append(theme);

const textOf = cell => cell.innerText.replace(/\s+/g, ' ').trim();
const copy = async (text, by) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    by.focus();
  }
  const before = by.textContent;
  by.textContent = 'Copied';
  setTimeout(() => { by.textContent = before; }, 1500);
};
for (const box of document.querySelectorAll('.scroll, pre')) {
  const table = box.querySelector('table');
  const made = button('copy', table ? 'Copy table' : 'Copy', () => copy(
    table ? [...table.rows].map(row => [...row.cells].map(textOf).join('\t')).join('\n') : box.textContent, made));
  made.setAttribute('aria-label', 'Copy: ' + box.getAttribute('aria-label'));
  box.after(made);
}

for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const original = [...body.rows];
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    return column === 0 || heads[column].dataset.words !== undefined ? cell.textContent : null;
  };
  const compare = (a, b) => typeof a === 'string' ? a.localeCompare(b, 'en', { numeric: true }) : a - b;
  heads.forEach((head, column) => {
    const sort = button('', '', () => {
      const first = head.dataset.first || 'ascending';
      const second = first === 'ascending' ? 'descending' : 'ascending';
      const now = head.getAttribute('aria-sort');
      const next = !now ? first : now === first ? second : null;
      heads.forEach(other => other.removeAttribute('aria-sort'));
      const rows = [...original];
      if (next) {
        head.setAttribute('aria-sort', next);
        const sign = next === 'ascending' ? 1 : -1;
        rows.sort((a, b) => {
          const x = key(a, column), y = key(b, column);
          if (x === null || y === null) return (x === null) - (y === null);
          return sign * compare(x, y);
        });
      }
      body.append(...rows);
    });
    sort.title = 'Sort by ' + head.textContent;
    sort.append(...head.childNodes);
    head.append(sort);
  });
}
)js";
}

}  // namespace shiftnorm::report
