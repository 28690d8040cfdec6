// What was learned about the equipment of a source: what it refuses, needs or ignores. Learning costs requests, so it is
// done once: kept in the spool, shown in the status, and forgotten on request. No claim rests on it, only how the equipment
// is asked; so losing it costs a few requests, and no more.
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';

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

interface SettingStore {
  putSetting(name: string, value: unknown): Promise<void>;
  getSetting(name: string): Promise<unknown>;
}

const setting = 'learned';
/** Beyond this number of sources, those noted first are forgotten. */
const maxSources = 1000;
/** The most that is kept for one source, as JSON. */
const maxBytes = 16_384;

export class LearnedBook {
  readonly #store: SettingStore;
  readonly #log: Log;
  readonly #known: Map<string, Learned>;
  #writing: Promise<void> | undefined;
  #isStale = false;

  private constructor(store: SettingStore, log: Log, known: Map<string, Learned>) {
    this.#store = store;
    this.#log = log;
    this.#known = known;
  }

  /** A damaged entry counts as never learned. */
  static async open(store: SettingStore, log: Log): Promise<LearnedBook> {
    const stored = await store.getSetting(setting);
    const entries = isRecord(stored) ? Object.entries(stored).filter(([, value]) => isRecord(value)) : [];
    return new LearnedBook(store, log, new Map(entries as [string, Learned][]));
  }

  of(batchId: string): LearnedStore {
    return { get: () => this.get(batchId), note: (what, value) => this.#note(batchId, what, value) };
  }

  get(batchId: string): Learned {
    return this.#known.get(batchId) ?? {};
  }

  /** Of one source, or of all. False where nothing was known. Once it resolves, it is forgotten on the disk as well. */
  async forget(batchId?: string): Promise<boolean> {
    const isKnown = batchId === undefined ? this.#known.size > 0 : this.#known.delete(batchId);
    if (batchId === undefined) this.#known.clear();
    this.#write();
    await this.#writing;
    return isKnown;
  }

  #note(batchId: string, what: string, value: unknown): void {
    const next = withNote(this.get(batchId), what, value);
    if (JSON.stringify(next).length > maxBytes) return;
    this.#known.delete(batchId);
    if (Object.keys(next).length > 0) this.#known.set(batchId, next);
    const [oldest] = this.#known.keys();
    if (this.#known.size > maxSources) this.#known.delete(oldest!);
    this.#write();
  }

  /** One write is under way at a time; later notes go with the next. */
  #write(): void {
    this.#isStale = true;
    this.#writing ??= this.#writeOn().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeOn(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      try {
        await this.#store.putSetting(setting, Object.fromEntries(this.#known));
      } catch (error) {
        this.#log.debug({ reason: describeError(error) }, 'what was learned of the equipment was not kept');
      }
    }
  }
}

function withNote(learned: Learned, what: string, value: unknown): Learned {
  const { [what]: _, ...rest } = learned;
  return value === undefined ? rest : { ...rest, [what]: value };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
