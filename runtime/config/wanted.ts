// Finds and loads the configuration that is wanted now: the twin's, where it holds one, else the gateway's file.

import { ConfigError } from './config-error.ts';
import type { LastGood } from './last-good.ts';
import { type LoadedConfig, loadConfig, loadValue } from './load.ts';
import type { Problem } from './problem-text.ts';
import type { RemoteFiles } from './remote-files.ts';
import type { TwinWish } from './twin-wish.ts';
import type { ConfigVersion } from './version.ts';

/** What was wanted; its hash where the content could be read. */
export type Wanted = Omit<ConfigVersion, 'hash'> & { readonly hash?: string | undefined };

/** The wanted configuration, and either its contents or its problems. */
export type Outcome =
  | { readonly kind: 'loaded'; readonly good: LastGood }
  | {
      readonly kind: 'wrong';
      readonly of: Wanted;
      readonly problems: readonly Problem[];
    }
  /** Neither file nor twin has one. */
  | { readonly kind: 'nothing'; readonly problems: readonly Problem[] };

export interface Wish {
  /** `unread`: the twin was not reached yet. */
  readonly twin: TwinWish | 'unread';
  /** The gateway's own file. */
  readonly file: string | undefined;
  readonly running: LastGood | undefined;
  /** The folders of files that the twin may name. */
  readonly remote: RemoteFiles;
}

type OnFile = (file: string) => void;

/** `onFile` hears each file that was read. */
export async function loadWanted({ twin, file, running, remote }: Wish, onFile: OnFile): Promise<Outcome> {
  if (twin === 'unread') {
    // Last good stands for the twin until it was read.
    if (running && running.origin !== 'file') return { kind: 'loaded', good: running };
    return loadFile(file, onFile);
  }
  switch (twin.kind) {
    case 'none':
      return loadFile(file, onFile);
    case 'bad':
      return { kind: 'wrong', of: { origin: 'twin', version: twin.version }, problems: twin.problems };
    case 'inline': {
      const of = { origin: 'twin', version: twin.version } as const;
      return outcomeOf(of, () => loadValue(twin.value, 'module twin', { onFile, remote }));
    }
    case 'file': {
      const of = { origin: 'twin-file', version: twin.version } as const;
      const expectedHash = twin.hash === undefined ? {} : { expectedHash: twin.hash };
      return outcomeOf(of, () => loadConfig(twin.path, { onFile, remote, ...expectedHash }));
    }
  }
}

export async function loadFile(file: string | undefined, onFile?: OnFile): Promise<Outcome> {
  if (file === undefined) return { kind: 'nothing', problems: [] };
  const outcome = await outcomeOf({ origin: 'file', version: 'unread' }, () =>
    loadConfig(file, onFile ? { onFile } : {}),
  );
  if (outcome.kind === 'loaded') {
    const { good } = outcome;
    return { kind: 'loaded', good: { ...good, version: good.hash.slice(0, 12) } };
  }
  return outcome.missing ? { kind: 'nothing', problems: outcome.problems } : outcome;
}

async function outcomeOf(
  of: Omit<ConfigVersion, 'hash'>,
  load: () => Promise<LoadedConfig>,
): Promise<Exclude<Outcome, { kind: 'nothing' }> & { missing?: boolean }> {
  try {
    const loaded = await load();
    return { kind: 'loaded', good: { ...of, hash: loaded.hash, loaded } };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return {
      kind: 'wrong',
      of: { ...of, hash: error.hash },
      problems: error.problems,
      missing: error.missing,
    };
  }
}
