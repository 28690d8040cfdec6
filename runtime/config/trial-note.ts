// What is on trial, kept in the spool for a process that dies meanwhile.
import { codeOf, describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { SettingStore } from './setting-store.ts';
import type { Working } from './trial.ts';

export interface TrialNote {
  /** Hash of the configuration on trial. */
  readonly hash: string;
  readonly worked: Working;
}

const settingName = 'config.trial';

/** Undefined for none, and for one that cannot be read. */
export async function readTrialNote(store: SettingStore): Promise<TrialNote | undefined> {
  const kept = (await store.getSetting(settingName)) as
    | { readonly hash?: unknown; readonly hub?: unknown; readonly sources?: unknown }
    | undefined
    | null;
  if (typeof kept?.hash !== 'string' || !Array.isArray(kept.sources)) return undefined;
  const sources = new Set(kept.sources.filter((id) => typeof id === 'string'));
  return { hash: kept.hash, worked: { hub: kept.hub === true, sources } };
}

/** Written in the background, the newest last: a disk that refuses must not keep a reload waiting. */
export class TrialNotes {
  readonly #store: SettingStore;
  readonly #log: Log;
  #wanted: object | null = null;
  #isKept = false;
  #writing: Promise<void> | undefined;

  constructor({ store, log }: { readonly store: SettingStore; readonly log: Log }) {
    this.#store = store;
    this.#log = log;
  }

  keep({ hash, worked }: TrialNote): void {
    this.#write({ hash, hub: worked.hub, sources: [...worked.sources] });
  }

  forget(): void {
    if (this.#isKept || this.#writing) this.#write(null);
  }

  #write(wanted: object | null): void {
    this.#wanted = wanted;
    this.#isKept = wanted !== null;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    for (let written: object | null | undefined; written !== this.#wanted; ) {
      written = this.#wanted;
      await this.#store.putSetting(settingName, written).catch((error: unknown) => {
        this.#log.error(
          { code: codeOf(error, 'config-not-kept'), reason: describeError(error) },
          'the note of the trial cannot be written: a restart during the trial would keep the new configuration',
        );
      });
    }
  }
}
