// Small JSON documents: settings and backfill jobs. A handful of each, so all reads are one bounded range.
import { codeOf, describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { JobRecord } from '../../methods/backfill-store.ts';
import type { SettingChanges } from '../../windows/window-store.ts';
import type { BatchOp } from '../engine/store.ts';
import { spaceBounds, textKey, textOf } from '../format/keys.ts';
import { openJson } from '../format/record.ts';
import type { SpoolCore } from './core.ts';

// More jobs than the methods accept at once, with room for those that are done.
const maxJobs = 10_000;

export class Documents {
  readonly #core: SpoolCore;

  constructor(core: SpoolCore) {
    this.#core = core;
  }

  async putSetting(name: string, value: unknown): Promise<void> {
    await this.#core.submit({ ops: this.settingOps(new Map([[name, value]])), sync: true });
  }

  /** Undefined removes a setting. */
  settingOps(changes: SettingChanges): readonly BatchOp[] {
    return [...changes].map(([name, value]) => {
      const key = textKey('k', name);
      return value === undefined ? { type: 'del', key } : this.#core.putJson('K', key, { value });
    });
  }

  /** Those whose names begin with `prefix`, at most `limit`. */
  async settings(prefix: string, limit: number): Promise<ReadonlyMap<string, unknown>> {
    const gte = textKey('k', prefix);
    const lt = Buffer.concat([gte, Buffer.of(0xff)]);
    const entries = await this.#core.store.range({ gte, lt, limit });
    const found = new Map<string, unknown>();
    for (const { key, value } of entries) {
      const opened = this.#open('K', key, value) as { value?: unknown } | undefined;
      if (opened !== undefined) found.set(textOf(key), opened.value);
    }
    return found;
  }

  /** Undefined when never set, and when what was stored is damaged (which is counted and logged). */
  async getSetting(name: string): Promise<unknown> {
    const found = await this.#read('K', textKey('k', name));
    return (found as { value?: unknown } | undefined)?.value;
  }

  jobOp(job: JobRecord): BatchOp {
    const core = this.#core;
    return core.putJson('T', textKey('t', job.requestId), job);
  }

  async forgetJob(requestId: string): Promise<void> {
    const key = textKey('t', requestId);
    await this.#core.submit({ ops: [{ type: 'del', key }], sync: true });
  }

  async jobs(): Promise<readonly JobRecord[]> {
    const core = this.#core;
    const { gte, lt } = spaceBounds('t');
    const entries = await core.store.range({ gte, lt, limit: maxJobs });
    const jobs = entries.map((entry) => this.#open('T', entry.key, entry.value) as JobRecord | undefined);
    return jobs.filter((job) => job !== undefined);
  }

  async #read(kind: 'K' | 'T', key: Uint8Array): Promise<unknown> {
    const value = await this.#core.store.get(key);
    return value === undefined ? undefined : this.#open(kind, key, value);
  }

  #open(kind: 'K' | 'T', key: Uint8Array, value: Uint8Array): unknown {
    const core = this.#core;
    try {
      return openJson(core.codec, kind, key, value);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      core
        .submit({ ops: core.quarantine(key, value, error), sync: false, delta: { damaged: 1 } })
        .catch((cause) =>
          core.log.warn(
            { code: codeOf(cause, 'disk-refuses'), error: describeError(cause) },
            'a damaged job or setting could not be quarantined; it stays in place',
          ),
        );
      return undefined;
    }
  }
}
