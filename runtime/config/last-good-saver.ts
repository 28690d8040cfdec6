// Keeps what took effect as last good, in the background: a disk that refuses must not keep a reload waiting.
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { keepLastGood, type LastGood } from './last-good.ts';
import type { SettingStore } from './setting-store.ts';
import { keepStartSettings } from './start-settings.ts';

export class LastGoodSaver {
  readonly #store: SettingStore;
  readonly #dataFolder: string;
  readonly #log: Log;
  #next: LastGood | undefined;
  #saving: Promise<void> | undefined;

  constructor({ store, dataFolder, log }: { store: SettingStore; dataFolder: string; log: Log }) {
    this.#store = store;
    this.#dataFolder = dataFolder;
    this.#log = log;
  }

  /** The newest wins. */
  save(good: LastGood): void {
    this.#next = good;
    this.#saving ??= this.#saveAll().finally(() => {
      this.#saving = undefined;
    });
  }

  async #saveAll(): Promise<void> {
    for (let good = this.#next; good; good = this.#next) {
      this.#next = undefined;
      try {
        await keepLastGood(this.#store, good);
        await keepStartSettings(this.#dataFolder, good.loaded.config, good.origin);
      } catch (error) {
        this.#log.error({ reason: describeError(error) }, 'this configuration is not kept as last good');
      }
    }
  }
}
