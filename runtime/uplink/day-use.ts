// Keeps the number of messages used today across restarts, so that a restart does not reset the daily cap. Written once a
// minute while messages are sent, and at stop; a crash forgets a minute at most.
import type { Clock, Timer } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { DayUse } from './forwarder/pace.ts';

export interface DayUseStore {
  putSetting(name: string, value: unknown): Promise<void>;
  getSetting(name: string): Promise<unknown>;
}

export interface DayUseSaver {
  /** Begins to write. */
  start(): void;
  /** Writes the last. Bounded by the store; never rejects. */
  stop(): Promise<void>;
}

const settingName = 'forwarder.dayUse';
const intervalMs = 60_000;

export async function readDayUse(store: DayUseStore): Promise<DayUse | undefined> {
  const kept = (await store.getSetting(settingName)) as Partial<DayUse> | undefined;
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!kept || !isCount(kept.day) || !isCount(kept.units)) return undefined;
  return { day: kept.day, units: kept.units };
}

/** `use`: now; undefined where nothing is capped, and nothing need be written. */
export function keepDayUse(options: {
  readonly store: DayUseStore;
  readonly use: () => DayUse | undefined;
  readonly clock: Clock;
  readonly log: Log;
}): DayUseSaver {
  const { store, use, clock, log } = options;
  let timer: Timer | undefined;
  let written = '';
  let writing = false;

  async function write(): Promise<void> {
    const now = use();
    const text = now && JSON.stringify(now);
    if (!now || text === undefined || text === written || writing) return;
    writing = true;
    try {
      await store.putSetting(settingName, now);
      written = text;
    } catch (error) {
      log.info({ reason: describeError(error) }, "the day's use of messages was not kept");
    } finally {
      writing = false;
    }
  }
  const tick = () => {
    timer = clock.setTimer(intervalMs, () => {
      void write();
      tick();
    });
  };

  return {
    start: tick,
    async stop() {
      timer?.cancel();
      await write();
    },
  };
}
