// Which equipment made the last claims of each stream. Its own numbers, or what its messages wait in, prove that a stream went
// on; those of other equipment prove nothing, even where they happen to follow. So a stream goes on only where its settings
// name what they named when it claimed something last, in this process or before it.
import { createHash } from 'node:crypto';
import type { Log } from '../kernel/log.ts';
import type { SourceConfig } from './config/schema.ts';
import { KeptMap, type SettingStore } from './sources/kept-map.ts';

interface Known {
  readonly equipment: string;
  /** Where the stream's claims ended when it came; null: there were none. */
  readonly since: number | null;
}

const setting = 'equipment';
const maxStreams = 10_000;

/** What names the equipment, and what its numbers are; not how it is asked, and for what. */
const naming = ['type', 'host', 'port', 'path', 'endpoint', 'unit', 'input', 'stamp', 'time', 'sequence'];

export class KnownEquipment {
  readonly #known: KeptMap<Known>;

  private constructor(known: KeptMap<Known>) {
    this.#known = known;
  }

  /** What cannot be read, or could not be kept, is not known: the stream begins with a hole. */
  static async open(store: SettingStore, log: Log): Promise<KnownEquipment> {
    return new KnownEquipment(
      await KeptMap.open({ store, log, setting, maxEntries: maxStreams, isEntry: isKnown }),
    );
  }

  /**
   * Whether what these settings name made the last claims of the stream, which end at `floor`; undefined where there are none.
   * From now on it makes them.
   */
  isSame(batchId: string, settings: SourceConfig, floor: number | undefined): boolean {
    const equipment = nameOf(settings);
    const known = this.#known.get(batchId);
    if (known?.equipment === equipment) return floor === undefined || floor > (known.since ?? floor - 1);
    this.#known.set(batchId, { equipment, since: floor ?? null });
    return floor === undefined;
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
