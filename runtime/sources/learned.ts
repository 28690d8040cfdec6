// What was learned about the equipment of a source: what it refuses, needs or ignores. Learning costs requests, so it is
// done once: kept in the spool, shown in the status, and forgotten on request. No claim rests on it, only how the equipment
// is asked; so losing it costs a few requests, and no more.
import type { Log } from '../../kernel/log.ts';
import { KeptMap, type SettingStore } from './kept-map.ts';

/** JSON values, by what they are about. */
export type Learned = Readonly<Record<string, unknown>>;

/** Of one source. */
export interface LearnedStore {
  get(): Learned;
  /** `undefined` forgets it. Kept soon; never throws. */
  note(what: string, value: unknown): void;
}

/** For equipment that nothing is kept of: a probe, a test. */
export function passingStore(): LearnedStore {
  let learned: Learned = {};
  return {
    get: () => learned,
    note: (what, value) => {
      learned = withNote(learned, what, value);
    },
  };
}

const setting = 'learned';
/** Beyond this number of sources, those noted first are forgotten. */
const maxSources = 1000;
/** The most that is kept for one source, as JSON. */
const maxBytes = 16_384;

export class LearnedBook {
  readonly #known: KeptMap<Learned>;

  private constructor(known: KeptMap<Learned>) {
    this.#known = known;
  }

  static async open(store: SettingStore, log: Log): Promise<LearnedBook> {
    return new LearnedBook(
      await KeptMap.open({ store, log, setting, maxEntries: maxSources, isEntry: isRecord }),
    );
  }

  of(batchId: string): LearnedStore {
    return { get: () => this.get(batchId), note: (what, value) => this.#note(batchId, what, value) };
  }

  get(batchId: string): Learned {
    return this.#known.get(batchId) ?? {};
  }

  /** Of one source, or of all. False where nothing was known. Once it resolves, it is forgotten on the disk as well. */
  async forget(batchId?: string): Promise<boolean> {
    const isKnown = batchId === undefined ? this.#known.size > 0 : this.#known.get(batchId) !== undefined;
    if (batchId === undefined) this.#known.clear();
    else this.#known.set(batchId, undefined);
    await this.#known.written();
    return isKnown;
  }

  #note(batchId: string, what: string, value: unknown): void {
    const next = withNote(this.get(batchId), what, value);
    if (JSON.stringify(next).length > maxBytes) return;
    this.#known.set(batchId, Object.keys(next).length > 0 ? next : undefined);
  }
}

function withNote(learned: Learned, what: string, value: unknown): Learned {
  const { [what]: _, ...rest } = learned;
  return value === undefined ? rest : { ...rest, [what]: value };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
