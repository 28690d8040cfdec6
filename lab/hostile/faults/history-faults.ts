// Planted faults in reading the equipment's history: what faulty pages would say.
import { CompletePage, GonePage, type HistoryPage } from '../../../runtime/sources/history-page.ts';
import type { Source } from '../../../runtime/sources/source.ts';
import type { Window } from '../../../wire/window.ts';
import type { Dice } from '../dice.ts';
import { withMethods } from '../with-methods.ts';

type Pages = AsyncIterable<HistoryPage>;

function withHistory(inner: Source, read: (pages: Pages, range: Window) => Pages): Source {
  const { history } = inner;
  if (!history) return inner;
  return withMethods(inner, {
    history: { read: (range, signal) => read(history.read(range, signal), range) },
  });
}

function proven(window: Window, readings: CompletePage['readings']): CompletePage {
  const { start, end } = window;
  return CompletePage.of(window, readings, {
    asked: window,
    ended: 'no-more',
    heldFrom: start,
    recordedTo: end,
  });
}

/** A record that did not come through is left out of a page that is called complete. */
export function leavesOneOut(inner: Source, dice: Dice): Source {
  return withHistory(inner, async function* (pages) {
    for await (const page of pages) {
      if (page.kind !== 'readings' || page.readings.length === 0) yield page;
      else {
        const { index } = dice.pick(page.readings);
        yield proven(
          page.window,
          page.readings.filter((reading) => reading.index !== index),
        );
      }
    }
  });
}

/** Where one record of a page cannot be read, all of the page is declared lost. */
export function voidsThePage(inner: Source): Source {
  return withHistory(inner, async function* (pages) {
    for await (const { window } of pages)
      yield GonePage.of(window, { reason: 'history-expired', heldFrom: window.end });
  });
}

/** What the equipment has not recorded yet is declared lost, as if the clock had a say in it. */
export function voidsTheFuture(inner: Source): Source {
  return withHistory(inner, async function* (pages, range) {
    let end = range.start;
    for await (const page of pages) {
      end = page.window.end;
      yield page;
    }
    if (end < range.end)
      yield GonePage.of({ start: end, end: range.end }, { reason: 'history-expired', heldFrom: range.end });
  });
}

/** Equipment that is out of reach passes for equipment that remembers nothing. */
export function noHistoryWhenAway(inner: Source): Source {
  return withHistory(inner, async function* (pages, range) {
    try {
      yield* pages;
    } catch {
      yield GonePage.of(range, { reason: 'no-history', said: 'nothing' });
    }
  });
}

/** An answer that was cut short passes for all of it. */
export function shortIsComplete(inner: Source): Source {
  return withHistory(inner, async function* (pages, range) {
    let end = range.start;
    for await (const page of pages) {
      if (page.kind !== 'readings') {
        end = page.window.end;
        yield page;
        continue;
      }
      yield proven({ start: end, end: range.end }, page.readings);
      return;
    }
  });
}
