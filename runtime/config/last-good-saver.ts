// Keeps what took effect as last good, in the background: a disk that refuses must not keep a reload waiting.
import { codeOf, describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { keepLastGood, type LastGood } from './last-good.ts';
import type { SettingStore } from './setting-store.ts';
import { keepStartSettings } from './start-settings.ts';

export interface SaverOptions {
  readonly store: SettingStore;
  readonly dataFolder: string;
  /** Keeps what the next start needs before the store is open. Default: a file in the data folder. */
  readonly keepForStart?: typeof keepStartSettings | undefined;
  readonly log: Log;
}

export class LastGoodSaver {
  readonly #store: SettingStore;
  readonly #dataFolder: string;
  readonly #keepForStart: typeof keepStartSettings;
  readonly #log: Log;
  #next: LastGood | undefined;
  #saving: Promise<void> | undefined;

  constructor({ store, dataFolder, keepForStart = keepStartSettings, log }: SaverOptions) {
    this.#store = store;
    this.#dataFolder = dataFolder;
    this.#keepForStart = keepForStart;
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
        await this.#keepForStart(this.#dataFolder, good.loaded.config, good.origin, good.overlay);
      } catch (error) {
        this.#log.error(
          { code: codeOf(error, 'config-not-kept'), reason: describeError(error) },
          'this configuration is not kept as last good',
        );
      }
    }
  }
}
