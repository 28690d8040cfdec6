// Verifies the index by stream and range: the one key space that is not ordered by message id, so its ids are kept in
// memory.
import { isWindow } from '../../../wire/window.ts';
import { indexKeyOf, sizeClassOf } from '../../spool/format/keys.ts';
import { decodeIndexEntry } from '../../spool/format/message-record.ts';
import type { SpoolReader } from '../../spool/repair/spool-reader.ts';
import { damage, tick, type VerifyStep } from './finding.ts';

/** Returns the ids of the first messages that the index names, in order. */
export function* verifyIndex(reader: SpoolReader): Generator<VerifyStep, Float64Array> {
  let ids = new Float64Array(1024);
  let count = 0;
  for (const { key, value } of reader.entries('i')) {
    yield tick;
    if (key.byteLength !== 20) continue;
    const { stream, sizeClass, start, id } = indexKeyOf(key);
    if (count === ids.length) {
      const larger = new Float64Array(ids.length * 2);
      larger.set(ids);
      ids = larger;
    }
    ids[count++] = id;
    const entry = reader.read('I', key, value, decodeIndexEntry);
    if ('problem' in entry) {
      if (entry.fault === 'contents') yield damage('record', key, entry.problem);
      continue;
    }
    const window = { start, end: entry.value.end };
    const fits = isWindow(window) && sizeClassOf(window) === sizeClass;
    if (!fits) yield damage('record', key, `the window ${start} to ${window.end} cannot stand at this place`);
    const classes = reader.streams.get(stream)?.classes;
    if (classes === undefined)
      yield damage('reference', key, `the index names stream ${stream}, which is gone`);
    else if (classes.length > 0 && !classes.includes(sizeClass)) {
      yield damage(
        'reference',
        key,
        'its stream does not know this size class: a search would miss the window',
      );
    }
  }
  return ids.subarray(0, count).sort();
}

/** Sorted ids, walked from the lowest. */
export class Ids {
  readonly #ids: Float64Array;
  #at = 0;

  constructor(ids: Float64Array) {
    this.#ids = ids;
  }

  takeAt(id: number): boolean {
    if (this.#ids[this.#at] !== id) return false;
    this.#at++;
    return true;
  }

  *takeBelow(id: number): Generator<number> {
    while (this.#at < this.#ids.length && this.#ids[this.#at]! < id) yield this.#ids[this.#at++]!;
  }
}
