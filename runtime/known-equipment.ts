// Which equipment made the last claims of each stream. Its own numbers, or what its messages wait in, prove that a stream went
// on; those of other equipment prove nothing, even where they happen to follow. So a stream goes on only where its settings
// name what they named when it claimed something last, in this process or before it.
import { createHash } from 'node:crypto';
import { describeError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { SourceConfig } from './config/schema.ts';

interface SettingStore {
  putSetting(name: string, value: unknown): Promise<void>;
  getSetting(name: string): Promise<unknown>;
}

interface Known {
  readonly equipment: string;
  /** Where the stream's claims ended when it came; null: there were none. */
  readonly since: number | null;
}

const setting = 'equipment';
/** Those noted first are forgotten beyond. */
const maxStreams = 10_000;

/** What names the equipment, and what its numbers are; not how it is asked, and for what. */
const naming = ['type', 'host', 'port', 'path', 'endpoint', 'unit', 'input', 'stamp', 'time', 'sequence'];

export class KnownEquipment {
  readonly #store: SettingStore;
  readonly #log: Log;
  readonly #known: Map<string, Known>;
  #writing: Promise<void> | undefined;
  #isStale = false;

  private constructor(store: SettingStore, log: Log, known: Map<string, Known>) {
    this.#store = store;
    this.#log = log;
    this.#known = known;
  }

  /** What cannot be read is not known. */
  static async open(store: SettingStore, log: Log): Promise<KnownEquipment> {
    const stored = await store.getSetting(setting);
    const entries = typeof stored === 'object' && stored !== null ? Object.entries(stored) : [];
    return new KnownEquipment(store, log, new Map(entries.filter(([, each]) => isKnown(each))));
  }

  /**
   * Whether what these settings name made the last claims of the stream, which end at `floor`; undefined where there are none.
   * From now on it makes them.
   */
  isSame(batchId: string, settings: SourceConfig, floor: number | undefined): boolean {
    const equipment = nameOf(settings);
    const known = this.#known.get(batchId);
    if (known?.equipment === equipment) return floor === undefined || floor > (known.since ?? floor - 1);
    this.#known.delete(batchId);
    this.#known.set(batchId, { equipment, since: floor ?? null });
    const [oldest] = this.#known.keys();
    if (this.#known.size > maxStreams) this.#known.delete(oldest!);
    this.#write();
    return floor === undefined;
  }

  /** One write is under way at a time; what comes later goes with the next. */
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
        // The next process does not know it, and begins with a hole.
        this.#log.debug({ reason: describeError(error) }, 'which equipment feeds a stream was not kept');
      }
    }
  }
}

function nameOf(settings: SourceConfig): string {
  const all = settings as unknown as Readonly<Record<string, unknown>>;
  const named = JSON.stringify(naming.map((name) => all[name] ?? null));
  return createHash('sha256').update(named).digest('hex').slice(0, 16);
}

function isKnown(value: unknown): value is Known {
  if (typeof value !== 'object' || value === null) return false;
  const { equipment, since } = value as { equipment?: unknown; since?: unknown };
  return typeof equipment === 'string' && (since === null || Number.isSafeInteger(since));
}
