// @ts-check
/** The exchanges of a session: of any number of rows those in sight are in the page. */
import {html, useEffect, useLayoutEffect, useRef, useState} from '/console/vendor/preact-htm.js';
import {journal, need} from '/console/store.js';
import {cut, go, shown} from '/console/route.js';

const HEIGHT = 26;
const COLUMNS = ['#', 'Method', 'Status', 'Source', 'URL', 'ms'];

/** @param {import('/console/store.js').Row} row @param {string} wanted */
function fits(row, wanted) {
  const text = `${row.number} ${row.method} ${row.status} ${row.source} ${shown(row.url)}`;
  return wanted.toLowerCase().split(/\s+/).every((word) => text.toLowerCase().includes(word));
}

/**
 * @param {{session: string, arg: string, filter: string, follow: boolean,
 *   setFollow: (on: boolean) => void}} props
 */
export function Grid({session, arg, filter, follow, setFollow}) {
  const box = useRef(/** @type {HTMLElement|null} */ (null));
  const [top, setTop] = useState(0);
  const [size, setSize] = useState({height: 600, width: 640});
  const known = journal(session);
  const wanted = filter.trim();
  /** @type {number[]|null} */
  let picked = null;
  if (wanted) {
    picked = [];
    known.rows.forEach((row, at) => row && fits(row, wanted) && picked?.push(at));
  }
  const count = picked ? picked.length : known.done;
  const first = Math.max(0, Math.floor(top / HEIGHT) - 4);
  const last = Math.min(count, first + Math.ceil(size.height / HEIGHT) + 8);
  const ordinals = Array.from({length: Math.max(0, last - first)}, (_, at) =>
    picked ? picked[first + at] : first + at);
  const at = (/** @type {number} */ place) => known.rows[picked ? picked[place] : place];
  const place = ordinals.findIndex((each) => String(known.rows[each]?.number) === arg);

  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    const watcher = new ResizeObserver(() =>
      setSize({height: element.clientHeight, width: element.clientWidth}));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    if (!picked && last > first) need(session, first, last);
    if (picked) need(session, known.gone, known.done);
  });
  useLayoutEffect(() => {
    if (follow && box.current) box.current.scrollTop = count * HEIGHT;
  }, [follow, count]);
  useEffect(() => {
    if (!arg) return;
    setFollow(false);
    reveal(current());
  }, [arg, size.height, known.done > 0]);

  function current() {
    const number = Number(arg);
    const from = Math.max(0, Math.min(count - 1, number + 20));
    for (let each = from; each >= 0 && each > from - 2000; each -= 1) {
      if (at(each)?.number === number) return each;
    }
    return -1;
  }
  /** @param {number} row */
  function reveal(row) {
    const element = box.current;
    if (!element || row < 0) return;
    const start = row * HEIGHT;
    const room = element.clientHeight - 2 * HEIGHT;
    if (start < element.scrollTop) element.scrollTop = start;
    else if (start > element.scrollTop + room) element.scrollTop = start - room;
  }
  /** @param {number} row */
  function open(row) {
    const number = at(Math.max(0, Math.min(count - 1, row)))?.number;
    if (number === undefined) return;
    setFollow(false);
    go({view: 'Live', arg: number});
  }
  /** @param {KeyboardEvent} event */
  function move(event) {
    const page = Math.max(1, Math.floor(size.height / HEIGHT) - 2);
    const steps = /** @type {Record<string, number>} */ ({
      j: 1, k: -1, ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page,
      Home: -Infinity, End: Infinity,
    });
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const now = current();
    open(Number.isFinite(step) ? (now < 0 ? count - 1 : now + step) : step > 0 ? count - 1 : 0);
  }
  const letters = Math.max(14, Math.floor((Math.max(size.width, 480) - 400) / 7.8));
  return html`<div class="grid" role="grid" aria-label="Requests" tabindex="0" ref=${box}
      id="requests" aria-rowcount=${count + 1} aria-colcount=${COLUMNS.length}
      aria-activedescendant=${place < 0 ? undefined : `row-${arg}`}
      onKeyDown=${move} onScroll=${(/** @type {any} */ event) => setTop(event.target.scrollTop)}>
    <div role="rowgroup" class="head"><div role="row" class="row" aria-rowindex="1">
      ${COLUMNS.map((name) => html`<span role="columnheader">${name}</span>`)}</div></div>
    <div role="rowgroup" class="rows" style=${{height: `${count * HEIGHT}px`}}>
      ${ordinals.map((each, index) => html`<${Line} key=${each} row=${known.rows[each]}
        place=${first + index} arg=${arg} letters=${letters} ordinal=${each}
        open=${() => open(first + index)} />`)}
    </div></div>`;
}

/**
 * @param {{row: import('/console/store.js').Row|undefined, place: number, arg: string,
 *   letters: number, ordinal: number, open: () => void}} props
 */
function Line({row, place, arg, letters, ordinal, open}) {
  const style = {transform: `translateY(${place * HEIGHT}px)`};
  if (!row) {
    return html`<div role="row" class="row" aria-rowindex=${place + 2} style=${style}>
      <span role="gridcell">${ordinal + 1}</span>
      <span role="gridcell" class="wide">not kept, or on its way</span></div>`;
  }
  const url = shown(row.url);
  return html`<div role="row" class="row ${row.source}" id=${`row-${row.number}`} style=${style}
      aria-rowindex=${place + 2} aria-selected=${String(row.number) === arg} onClick=${open}>
    <span role="gridcell">${row.number}</span><span role="gridcell">${row.method}</span>
    <span role="gridcell" class="tone">${row.status || '—'}</span>
    <span role="gridcell" class="tone">${row.source}</span>
    <span role="gridcell" class="url" title=${url}>${cut(url, letters)}</span>
    <span role="gridcell" class="ms">${row.milliseconds.toFixed(1)}</span></div>`;
}
