// The site clock's stored data, in memory: it survives a kill.
import type { ClockRecord, ProvisionalRecord, TimeStore } from '../../../runtime/time/time-store.ts';

export class MemoryTimeStore {
  #clock: ClockRecord | undefined;
  #provisional: ProvisionalRecord[] = [];

  /** For one process: what it writes after its death is not written. */
  forLife(isAlive: () => boolean): TimeStore {
    const write = (change: () => void): Promise<void> => {
      if (!isAlive()) return new Promise(() => {});
      change();
      return Promise.resolve();
    };
    return {
      loadClock: async () => this.#clock,
      readProvisional: async () => [...this.#provisional],
      saveClock: (record) =>
        write(() => {
          this.#clock = record;
        }),
      appendProvisional: (record) => write(() => this.#provisional.push(record)),
      removeProvisional: (from, before) =>
        write(() => {
          const isRemoved = ({ sequence }: ProvisionalRecord) => sequence >= from && sequence < before;
          this.#provisional = this.#provisional.filter((record) => !isRemoved(record));
        }),
    };
  }
}
