// The spool of a simulated gateway, as its process sees it: noted is what the judge has to know, changed what another version or a
// smaller hub would do.
import type { JobOutput, JobRecord } from '../../../runtime/methods/backfill-store.ts';
import { isRuleStream } from '../../../runtime/rules/rule-settings.ts';
import type { Spool } from '../../../runtime/spool/spool.ts';
import type { StreamChange } from '../../../runtime/windows/window-store.ts';
import type { BodyOptions } from '../../../wire/body.ts';

/** What is on the disk for good. */
export interface Noted {
  /** Windows that were read again from the equipment's memory, by stream. */
  readonly fromHistory: Set<string>;
  /** Actions, by their ids, that have an outcome. */
  readonly outcomes: Set<string>;
}

/** Notes what is done; and shows what a newer version would have kept. */
export function watchedSpool(spool: Spool, noted: Noted, isDowngraded: boolean): Spool {
  return new Proxy(spool, {
    get(of, name) {
      const member = Reflect.get(of, name);
      if (typeof member !== 'function') return member;
      if (name === 'save')
        return (job: JobRecord, output: JobOutput = {}) => {
          for (const { batchId, window } of output.batches ?? [])
            noted.fromHistory.add(`${batchId} ${window.start}-${window.end}`);
          return of.save(job, output);
        };
      if (name === 'commitWindows')
        return async (changes: readonly StreamChange[], settings?: ReadonlyMap<string, unknown>) => {
          const told = changes.flatMap(outcomesIn);
          const encoded = await of.commitWindows(changes, settings);
          for (const id of told) noted.outcomes.add(id);
          return encoded;
        };
      if (name === 'getSetting' && isDowngraded)
        return async (setting: string) => {
          const kept = await of.getSetting(setting);
          return setting === 'config.lastGood' ? asNewerKept(kept) : kept;
        };
      return member.bind(of);
    },
  });
}

/** Of actions of rules. */
function outcomesIn({ batchId, closed, append }: StreamChange): readonly string[] {
  if (!isRuleStream(batchId)) return [];
  const readings = [...closed.flatMap(({ batch }) => batch.readings), ...(append?.readings ?? [])];
  return readings.flatMap(({ tag, value }) =>
    tag.startsWith('action#') ? [(value as { readonly id: string }).id] : [],
  );
}

/** With a setting that this version does not know. */
function asNewerKept(kept: unknown): unknown {
  if (typeof kept !== 'object' || kept === null || !('input' in kept)) return kept;
  return { ...kept, input: { ...(kept.input as object), ofTheFuture: true } };
}

/** The encoding changes in place when the configuration does. */
export function withMaxBytes(encoding: BodyOptions | undefined, maxBytes: number): BodyOptions {
  return new Proxy((encoding ?? {}) as BodyOptions, {
    get: (of, name) => (name === 'maxBytes' ? maxBytes : Reflect.get(of, name)),
    has: (of, name) => name === 'maxBytes' || Reflect.has(of, name),
    ownKeys: (of) => [...Reflect.ownKeys(of), 'maxBytes'],
    getOwnPropertyDescriptor: (of, name) =>
      name === 'maxBytes'
        ? { value: maxBytes, enumerable: true, configurable: true }
        : Reflect.getOwnPropertyDescriptor(of, name),
  });
}
