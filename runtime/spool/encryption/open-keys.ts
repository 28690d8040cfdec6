// The keys that the configuration names, as a codec for the spool. A key that cannot be had is waited for: the
// volume that it lies on may be mounted late, and a store that is quarantined for want of it comes back only by hand.
// Then the module goes on with what keys there are, since readings that are not recorded are lost for good; a
// site that would rather lose them than write them plain says `withoutKey: wait`.
import { createBackoff } from '../../../kernel/backoff.ts';
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Random } from '../../../kernel/random.ts';
import { isSystemError } from '../engine/disk.ts';
import { plainCodec, type RecordCodec } from '../format/record.ts';
import type { EncryptionSettings, KeySource } from './config.ts';
import type { EncryptionStats } from './key-change.ts';
import { type KeyPlaces, nameSource, type ReadOptions, readKeys } from './key-sources.ts';
import type { MasterKey } from './master-key.ts';
import { createSealedCodec } from './sealed-codec.ts';

export interface SpoolKeys {
  readonly codec: RecordCodec;
  /** For people: which key could not be had, and what that means. */
  readonly problem?: string;
}

export interface OpenKeysOptions extends Omit<KeyPlaces, 'warn' | 'now'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal?: AbortSignal;
}

interface Found {
  readonly current?: MasterKey;
  readonly previous: readonly MasterKey[];
  readonly failures: readonly string[];
}

/** Waits as `settings` say. Never rejects but with the signal's reason. */
export async function openSpoolKeys(
  settings: EncryptionSettings | undefined,
  options: OpenKeysOptions,
): Promise<SpoolKeys> {
  if (settings === undefined) return { codec: plainCodec };
  const { clock, random, log, signal } = options;
  const backoff = createBackoff({ minMs: 250, maxMs: 5000 }, random);
  const startedAt = clock.monotonic();
  const said = new Set<string>();
  const once = (text: string, say: () => void) => {
    if (!said.has(text)) say();
    said.add(text);
  };
  const warn: KeyPlaces['warn'] = (fields, text) => once(text, () => log.warn(fields, text));
  for (;;) {
    const left = settings.waitMs - (clock.monotonic() - startedAt);
    const final = left <= 0 && settings.withoutKey === 'go-on-plain';
    const places = { ...options, warn, now: () => clock.now() };
    const found = await findKeys(settings, places, { create: true, final });
    if (found.failures.length === 0) return announced(found, log);
    if (final) return withProblem(settings, found, log);
    const text = found.failures.join('; ');
    const waiting =
      settings.withoutKey === 'wait' ? 'nothing is recorded until it is there' : 'waiting for it';
    once(text, () =>
      log.error(
        { code: 'spool-key-missing', reason: text },
        `a key of the spool is not available: ${waiting}`,
      ),
    );
    await sleep(clock, Math.min(backoff.next(), left > 0 ? left : 5000), signal);
  }
}

/** The spool's facts for status, with what is wrong with its keys. */
export function withKeyProblem<T extends { readonly encryption?: EncryptionStats }>(
  stats: T,
  { problem }: SpoolKeys,
): T {
  if (problem === undefined) return stats;
  return { ...stats, encryption: { former: [], quarantinedStores: [], ...stats.encryption, problem } };
}

/** Without waiting: the keys that are there, and why others are not. For the command line. */
export async function openKeysNow(
  settings: EncryptionSettings,
  places: KeyPlaces,
): Promise<{ readonly codec: RecordCodec; readonly failures: readonly string[] }> {
  // Looking makes no keys.
  const found = await findKeys(settings, places, { create: false, final: true });
  // Rather with an older key than plain.
  const current = found.current ?? (settings.key === undefined ? undefined : found.previous[0]);
  const codec = createSealedCodec({ ...found, ...(current === undefined ? {} : { current }) });
  return { codec, failures: found.failures };
}

async function findKeys(
  settings: EncryptionSettings,
  places: KeyPlaces,
  options: ReadOptions,
): Promise<Found> {
  const failures: string[] = [];
  const read = async (source: KeySource, create: boolean) => {
    try {
      return await readKeys(source, places, { ...options, create });
    } catch (error) {
      // Also what a damaged, full or read-only disk says.
      if (!(error instanceof HoldfastError) && !isSystemError(error)) throw error;
      const name = nameSource(source);
      const text = error instanceof HoldfastError ? error.message : '';
      failures.push(text.includes(name) ? text : `${name}: ${describeError(error)}`);
      return [];
    }
  };
  const [current, ...older] = settings.key === undefined ? [] : await read(settings.key, options.create);
  const previous = [...older];
  for (const source of settings.previousKeys) previous.push(...(await read(source, false)));
  return { ...(current === undefined ? {} : { current }), previous, failures };
}

function announced(found: Found, log: Log): SpoolKeys {
  const { current, previous } = found;
  log.info(
    { seals: current?.id ?? 'nothing', opens: previous.map(({ id }) => id) },
    'the keys of the spool are available',
  );
  return { codec: createSealedCodec(found) };
}

function withProblem(settings: EncryptionSettings, found: Found, log: Log): SpoolKeys {
  const { previous, failures } = found;
  // An older key is better than none.
  const current = found.current ?? (settings.key === undefined ? undefined : previous[0]);
  const isPlain = settings.key !== undefined && current === undefined;
  const meaning = isPlain
    ? 'new records are written UNENCRYPTED'
    : current === undefined || found.current !== undefined
      ? 'what was sealed with it cannot be read'
      : `new records are sealed with the previous key ${current.id}`;
  const problem = `${failures.join('; ')}: ${meaning}`;
  log.error(
    { code: 'spool-key-missing', reason: failures.join('; ') },
    `the spool is opened without a key: ${meaning}`,
  );
  return { codec: createSealedCodec(current === undefined ? { previous } : { current, previous }), problem };
}
