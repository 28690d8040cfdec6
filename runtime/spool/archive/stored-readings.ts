// Reads stored data for rules that start: readings of windows that claim something, and the rules' own saved state.
import { HoldfastError } from '../../../kernel/errors.ts';
import { decodeBody } from '../../../wire/body.ts';
import type { MiniBatch } from '../../../wire/mini-batch.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';
import type { RuleStore } from '../../rules/rule-store.ts';
import type { Documents } from '../core/documents.ts';
import type { StreamTable } from '../core/streams.ts';
import type { Archive, ArchivedWindow } from './archive.ts';

interface Parts {
  readonly archive: Archive;
  readonly streams: StreamTable;
  readonly documents: Documents;
}

/** Stored windows that are looked at for one answer. */
const maxLooked = 10_000;

/** `parts` throws `spool-closed` where the spool is. */
export class StoredReadings implements RuleStore {
  readonly #parts: () => Parts;

  constructor(parts: () => Parts) {
    this.#parts = parts;
  }

  async settings(prefix: string, limit: number): Promise<ReadonlyMap<string, unknown>> {
    return this.#parts().documents.settings(prefix, limit);
  }

  async ahead(batchId: string): ReturnType<RuleStore['ahead']> {
    const stream = this.#parts().streams.get(batchId);
    const { floor, seen } = stream ?? {};
    if (stream === undefined || floor === undefined || seen === undefined || seen <= floor)
      return { readings: [] };
    try {
      const beyond = { id: Number.POSITIVE_INFINITY, window: { start: floor, end: seen } };
      return { readings: await this.#sentAhead(batchId, beyond, stream.index) };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return { readings: [], unknownTo: seen };
    }
  }

  async batches(batchId: string, range: Window, limit: number): Promise<readonly MiniBatch[]> {
    const stream = this.#parts().streams.get(batchId);
    if (stream === undefined) return [];
    const batches: MiniBatch[] = [];
    for (const found of await this.#claiming(batchId, range, limit)) {
      try {
        const own = await this.#readings(found, stream.index);
        const ahead = await this.#sentAhead(batchId, found, stream.index);
        const known = new Set(own.map(placeOf));
        const readings = [...own, ...ahead.filter((reading) => !known.has(placeOf(reading)))];
        batches.push({ batchId, index: stream.index, window: found.window, readings });
      } catch (error) {
        // Nobody knows what it held.
        if (!(error instanceof HoldfastError)) throw error;
      }
    }
    return batches;
  }

  /**
   * Windows that claim something, by start, at most `limit`; any number of late windows may lie between them. Answers to requests are none:
   * what was not seen then is a hole for who decides.
   */
  async #claiming(batchId: string, range: Window, limit: number): Promise<readonly ArchivedWindow[]> {
    for (let most = limit; ; most *= 2) {
      const found = await this.#parts().archive.find(batchId, range, most);
      const claiming = found.filter((each) => !each.late && !each.answer && each.void === undefined);
      if (claiming.length >= limit || found.length < most || most >= maxLooked)
        return claiming.slice(0, limit);
    }
  }

  /**
   * What a window claims and does not hold itself: readings that were sent ahead, when nothing proved yet that observation went on.
   * They were stored before it; what came late to it was stored behind it. @throws HoldfastError
   */
  async #sentAhead(
    batchId: string,
    { id, window }: Pick<ArchivedWindow, 'id' | 'window'>,
    index: IndexKind,
  ): Promise<readonly Reading[]> {
    const found = await this.#parts().archive.find(batchId, window, maxLooked);
    if (found.length >= maxLooked)
      throw new HoldfastError('spool-window-gone', 'more late windows lie in one window than are looked at');
    const ahead = found.filter((each) => each.late && each.void === undefined && each.id < id);
    const readings: Reading[] = [];
    for (const each of ahead) readings.push(...(await this.#readings(each, index)));
    return readings.filter((reading) => reading.index >= window.start && reading.index < window.end);
  }

  async #readings({ id, parts }: ArchivedWindow, index: IndexKind): Promise<readonly Reading[]> {
    const readings: Reading[] = [];
    for (let part = 0; part < parts; part++) {
      const { properties, contentEncoding, body } = (await this.#parts().archive.message(id + part)).message;
      for (const reading of decodeBody(body, { schema: properties.schema ?? '', contentEncoding, index }))
        readings.push(reading);
    }
    return readings;
  }
}

const placeOf = ({ index, tag }: Reading) => `${index} ${tag}`;
