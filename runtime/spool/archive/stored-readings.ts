// What is stored, as rules want it when they begin: readings of windows that claim something, and their own notes.
import { HoldfastError } from '../../../kernel/errors.ts';
import { decodeBody } from '../../../wire/body.ts';
import type { MiniBatch } from '../../../wire/mini-batch.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { RuleStore } from '../../rules/rule-store.ts';
import type { Documents } from '../core/documents.ts';
import type { StreamTable } from '../core/streams.ts';
import type { Archive } from './archive.ts';

interface Parts {
  readonly archive: Archive;
  readonly streams: StreamTable;
  readonly documents: Documents;
}

/** `parts` throws `spool-closed` where the spool is. */
export class StoredReadings implements RuleStore {
  readonly #parts: () => Parts;

  constructor(parts: () => Parts) {
    this.#parts = parts;
  }

  async settings(prefix: string, limit: number): Promise<ReadonlyMap<string, unknown>> {
    return this.#parts().documents.settings(prefix, limit);
  }

  async batches(batchId: string, range: Window, limit: number): Promise<readonly MiniBatch[]> {
    const { archive, streams } = this.#parts();
    const stream = streams.get(batchId);
    if (stream === undefined) return [];
    const { index } = stream;
    const batches: MiniBatch[] = [];
    for (const { id, window, parts, ...found } of await archive.find(batchId, range, limit)) {
      if (found.late || found.void !== undefined) continue;
      const readings: Reading[] = [];
      try {
        for (let part = 0; part < parts; part++) {
          const { properties, contentEncoding, body } = (await archive.message(id + part)).message;
          readings.push(...decodeBody(body, { schema: properties.schema ?? '', contentEncoding, index }));
        }
        batches.push({ batchId, index, window, readings });
      } catch (error) {
        // Nobody knows what it held.
        if (!(error instanceof HoldfastError)) throw error;
      }
    }
    return batches;
  }
}
