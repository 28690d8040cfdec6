// The keys of an encrypted spool, for the command line: those of the module's configuration, and files that are named.
import { dirname } from 'node:path';
import { systemClock } from '../../kernel/clock.ts';
import { loadConfig } from '../config/load.ts';
import { readStartSettings } from '../config/start-settings.ts';
import type { EncryptionSettings } from '../spool/encryption/config.ts';
import { openKeysNow } from '../spool/encryption/open-keys.ts';
import { layoutOf } from '../spool/format/folder-layout.ts';
import { plainCodec, type RecordCodec } from '../spool/format/record.ts';
import { createWorkloadWrapper } from '../uplink/workload-wrapper.ts';
import type { SpoolLayout } from './spool/layout.ts';
import type { OpenedSpool } from './spool/open.ts';

export interface KeyOptions {
  readonly config?: string;
  readonly keyFile: readonly string[];
}

/** Keys that are not available are told to `tell`, by default standard error; the rest is read all the same. @throws ConfigError. */
export async function openKeys(
  layout: SpoolLayout,
  options: KeyOptions,
  tell: (line: string) => void = console.error,
): Promise<RecordCodec> {
  const settings = withFiles(await settingsFor(layout, options.config), options.keyFile);
  if (settings === undefined) return plainCodec;
  const say = (text: string) => tell(`holdfast: ${text}`);
  const { codec, failures } = await openKeysNow(settings, {
    environment: process.env,
    folder: keysFolderOf(layout),
    wrapper: createWorkloadWrapper({ environment: process.env, clock: systemClock }),
    now: () => systemClock.now(),
    warn: (_fields, text) => say(text),
  });
  for (const failure of failures) say(failure);
  return codec;
}

/** Where a spool, or a store that was quarantined from it, has its wrapped keys. */
export function keysFolderOf(layout: SpoolLayout): string {
  return layoutOf(rootOf(layout)).keys;
}

/** Tells people what to do when records could not be read because a key is missing. */
export function missingKeyLines({ missingKeys }: OpenedSpool): readonly string[] {
  return [...missingKeys.keys()].map(
    (id) =>
      `records are encrypted with key ${id}, which was not given: name the configuration (--config) or the key (--key-file)`,
  );
}

async function settingsFor(
  layout: SpoolLayout,
  config: string | undefined,
): Promise<EncryptionSettings | undefined> {
  if (config !== undefined) return (await loadConfig(config)).config.spool.encryption;
  // As the module would at its next start.
  const start = await readStartSettings({
    dataFolder: dirname(rootOf(layout)),
    file: process.env.HOLDFAST_CONFIG,
    useTwin: true,
  });
  return start.spool.encryption;
}

function withFiles(
  settings: EncryptionSettings | undefined,
  files: readonly string[],
): EncryptionSettings | undefined {
  const named = files.map((file) => ({ file }));
  if (named.length === 0) return settings;
  if (settings !== undefined) return { ...settings, previousKeys: [...settings.previousKeys, ...named] };
  return { key: named[0], previousKeys: named.slice(1), waitMs: 0, withoutKey: 'go-on-plain' };
}

function rootOf({ root, store }: SpoolLayout): string {
  return root ?? dirname(dirname(store));
}
