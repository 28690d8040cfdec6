// The model of one stream of a simulation: what was emitted, and a check that the cloud got it, with no unobserved claim
// and no promised reading missing.
import { isDeepStrictEqual } from 'node:util';
import type { Outgoing } from '../../runtime/uplink/lanes.ts';
import { decodeBody } from '../../wire/body.ts';
import { parseIndex } from '../../wire/index-position.ts';
import type { Reading } from '../../wire/reading.ts';
import type { Window } from '../../wire/window.ts';

export interface StreamModel {
  /** All that was ever emitted, in order. */
  readonly emitted: Reading[];
  /** Observation, as it was stated: no window may reach out of these. Below `durable` it was promised to last. */
  readonly observed: { start: number; end: number; durable: number; run: number }[];
  /** Next index to emit at. */
  at: number;
}

/** @throws Error that says which promise is broken. */
export function checkDelivered(id: string, model: StreamModel, delivered: readonly Outgoing[]): void {
  const windows: { window: Window; readings: readonly Reading[]; late: boolean; id: string }[] = [];
  const voids: Window[] = [];
  for (const { message } of delivered) {
    const {
      batchId,
      startWindow,
      endWindow,
      void: reason,
      isBackfill,
      requestId,
      schema,
    } = message.properties;
    if (batchId !== id) continue;
    const window = { start: parseIndex('time', startWindow), end: parseIndex('time', endWindow) };
    if (reason === 'evicted') voids.push(window);
    if (isBackfill === 'true' && requestId === undefined) {
      throw new Error(`${message.messageId} calls itself late, and nothing came late`);
    }
    if (reason !== undefined) continue;
    const options = {
      schema: schema ?? '',
      contentEncoding: message.contentEncoding,
      index: 'time' as const,
    };
    const readings = decodeBody(message.body, options);
    windows.push({ window, readings, late: isBackfill === 'true', id: message.messageId });
  }
  for (const { window, readings, id: messageId } of windows) {
    const inside = model.emitted.filter(({ index }) => index >= window.start && index < window.end);
    if (!isDeepStrictEqual(readings, inside)) throw new Error(`${messageId} does not hold what was emitted`);
    const claimed = model.observed.some(({ start, end }) => window.start >= start && window.end <= end);
    if (!claimed) throw new Error(`${messageId} claims what was not observed`);
  }
  checkDisjoint(windows.filter(({ late }) => !late));
  const known = [...windows.map(({ window }) => window), ...voids];
  for (const { start, durable } of model.observed) {
    for (let index = start; index < durable; index++) {
      if (known.some((window) => index >= window.start && index < window.end)) continue;
      throw new Error(`${id}: ${index} was promised (below ${durable}) and is neither there nor void`);
    }
  }
}

/** Windows of one stream may share nothing, except that the same one came twice. */
function checkDisjoint(windows: readonly { window: Window; id: string }[]): void {
  const sorted = [...new Map(windows.map((each) => [each.id, each])).values()];
  sorted.sort((a, b) => a.window.start - b.window.start);
  for (const [n, { window, id }] of sorted.entries()) {
    const before = sorted[n - 1];
    if (before !== undefined && window.start < before.window.end) {
      throw new Error(`${id} overlaps ${before.id}: a bound that was durable has changed`);
    }
  }
}
