// Search, filter and sorting for tables of problems. Without it the tables are whole and readable.
'use strict';
for (const table of document.querySelectorAll('table.problems')) {
  const bodies = [...table.tBodies];
  const words = new Map();
  const text = body => {
    if (!words.has(body)) words.set(body, body.textContent.toLowerCase());
    return words.get(body);
  };
  const make = (tag, attributes, ...children) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
  };
  const search = make('input', {type: 'search', placeholder: 'id, cause, words of a completion'});
  const places = [...new Set(bodies.map(body => body.dataset.s))];
  const choice = make('select', {}, make('option', {value: '', textContent: 'all'}),
    ...places.map(place => make('option', {value: place, textContent: place})));
  const count = make('output', {});
  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const body of bodies) {
      const fits = (!choice.value || body.dataset.s === choice.value) &&
        (!wanted || text(body).includes(wanted));
      body.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${bodies.length}`;
  };
  search.oninput = choice.onchange = show;
  const bar = make('div', {className: 'find'}, make('label', {}, 'Search ', search),
    make('label', {}, 'Standing ', choice), count);
  bar.setAttribute('role', 'search');
  table.parentElement.before(bar);
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = make('button', {type: 'button', textContent: head.textContent});
    button.onclick = () => {
      const sign = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', sign > 0 ? 'ascending' : 'descending');
      const key = body => {
        const cell = body.rows[0].cells[column];
        return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
      };
      const keyed = bodies.map(body => [key(body), body]);
      keyed.sort(([a], [b]) => sign * (typeof a === 'number' ? a - b : a.localeCompare(b)));
      table.append(...keyed.map(([, body]) => body));
    };
    head.replaceChildren(button);
  });
  show();
}
