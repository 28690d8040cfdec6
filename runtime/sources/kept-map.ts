// A map that is kept in one setting of the spool. Losing it must cost little: it is written soon, not at once, and a write that
// fails is left to the next.
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';

export interface SettingStore {
  putSetting(name: string, value: unknown): Promise<void>;
  getSetting(name: string): Promise<unknown>;
}

export interface KeptMapOptions<T> {
  readonly store: SettingStore;
  readonly log: Log;
  readonly setting: string;
  /** Beyond, those noted first are forgotten. */
  readonly maxEntries: number;
  /** Whether an entry can be what was written: a damaged one counts as never noted. */
  readonly isEntry: (value: unknown) => value is T;
}

export class KeptMap<T> {
  readonly #options: KeptMapOptions<T>;
  readonly #entries: Map<string, T>;
  #writing: Promise<void> | undefined;
  #isStale = false;

  private constructor(options: KeptMapOptions<T>, entries: Map<string, T>) {
    this.#options = options;
    this.#entries = entries;
  }

  static async open<T>(options: KeptMapOptions<T>): Promise<KeptMap<T>> {
    const { store, setting, isEntry } = options;
    const stored = await store.getSetting(setting);
    const isMap = typeof stored === 'object' && stored !== null && !Array.isArray(stored);
    const entries = isMap ? Object.entries(stored) : [];
    const whole = entries.flatMap(([name, value]) => (isEntry(value) ? [[name, value] as const] : []));
    return new KeptMap(options, new Map(whole));
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): T | undefined {
    return this.#entries.get(name);
  }

  /** It is the newest then; `undefined` forgets it. */
  set(name: string, value: T | undefined): void {
    this.#entries.delete(name);
    if (value !== undefined) this.#entries.set(name, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#options.maxEntries) this.#entries.delete(oldest!);
    this.#write();
  }

  clear(): void {
    this.#entries.clear();
    this.#write();
  }

  /** Resolves once what was noted so far is on the disk, or the disk refused it. */
  async written(): Promise<void> {
    await this.#writing;
  }

  /** One write is under way at a time; what comes later goes with the next. */
  #write(): void {
    this.#isStale = true;
    this.#writing ??= this.#writeOn().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeOn(): Promise<void> {
    const { store, log, setting } = this.#options;
    while (this.#isStale) {
      this.#isStale = false;
      try {
        await store.putSetting(setting, Object.fromEntries(this.#entries));
      } catch (error) {
        log.debug({ setting, reason: describeError(error) }, 'a setting of the spool was not kept');
      }
    }
  }
}
