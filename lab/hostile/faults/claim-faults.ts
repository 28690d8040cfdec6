// Planted faults between windows and disk: what faulty windows would claim.
import type { ClosedWindow, StreamChange, WindowStore } from '../../../runtime/windows/window-store.ts';

function mapClosed(
  inner: WindowStore,
  change: (closed: readonly ClosedWindow[]) => readonly ClosedWindow[],
): WindowStore {
  return {
    openStream: (batchId, index) => inner.openStream(batchId, index),
    commitWindows: (changes: readonly StreamChange[]) =>
      inner.commitWindows(changes.map((each) => ({ ...each, closed: change(each.closed) }))),
  };
}

/** Late readings of one commit become one window that claims what lies between them. */
export function lateHull(inner: WindowStore): WindowStore {
  return mapClosed(inner, (closed) => {
    const late = closed.filter((each) => each.late);
    if (late.length < 2) return closed;
    const windows = late.map(({ batch }) => batch.window);
    const window = {
      start: Math.min(...windows.map(({ start }) => start)),
      end: Math.max(...windows.map(({ end }) => end)),
    };
    const readings = late.flatMap(({ batch }) => batch.readings).toSorted((a, b) => a.index - b.index);
    const hull = { ...late[0]!, late: false, batch: { ...late[0]!.batch, window, readings } };
    return [...closed.filter((each) => !each.late), hull];
  });
}

/** A window claims a minute that has not been lived through. */
export function aheadOfTime(inner: WindowStore): WindowStore {
  return mapClosed(inner, (closed) =>
    closed.map((each) => {
      const { start, end } = each.batch.window;
      return each.late ? each : { ...each, batch: { ...each.batch, window: { start, end: end + 60_000 } } };
    }),
  );
}

/** A disk that was put back passes for one that knows all that was claimed. */
export function continuesAcrossRollback(inner: WindowStore): WindowStore {
  return {
    openStream: (batchId, index) => ({ ...inner.openStream(batchId, index), continuity: 'proven' }),
    commitWindows: (changes) => inner.commitWindows(changes),
  };
}
