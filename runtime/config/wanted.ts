// Finds and loads the configuration that is wanted now: the twin's, where it holds one, else the gateway's file, with what settings the
// twin has over it.

import { ConfigError } from './config-error.ts';
import type { LastGood } from './last-good.ts';
import { type LoadedConfig, loadConfig, loadValue } from './load.ts';
import { loadOver, type Overlay, overlayProblems } from './overlay.ts';
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

/** Where a configuration may come from. */
export interface ConfigSources {
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
export async function loadWanted(from: ConfigSources, onFile: OnFile): Promise<Outcome> {
  const { twin, file, running, remote } = from;
  if (twin === 'unread') {
    // Last good stands for the twin until it was read; the gateway's own file is as near as ever.
    if (running?.overlay !== undefined) return loadOverFile(running.version, running.overlay, from, onFile);
    if (running && running.origin !== 'file') return { kind: 'loaded', good: running };
    return loadFile(file, onFile);
  }
  switch (twin.kind) {
    case 'none':
      return loadFile(file, onFile);
    case 'bad':
      return { kind: 'wrong', of: { origin: 'twin', version: twin.version }, problems: twin.problems };
    case 'settings':
      return loadOverFile(twin.version, twin.overlay, from, onFile);
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

/** The gateway's own file, and settings of the twin over it. */
export async function loadOverFile(
  version: string,
  overlay: Overlay,
  { file, running }: Pick<ConfigSources, 'file' | 'running'>,
  onFile?: OnFile,
): Promise<Outcome> {
  const own = await loadFile(file, onFile);
  if (own.kind === 'wrong') return own;
  const of = { origin: 'twin-settings', version } as const;
  if (own.kind === 'nothing') {
    // Of what runs, the file is gone: it goes on, as without a twin.
    if (running?.origin === 'file' || running?.overlay !== undefined) return own;
    return { kind: 'wrong', of, problems: [withoutFile(file), ...overlayProblems(overlay)] };
  }
  const outcome = await outcomeOf(of, () => loadOver(own.good.loaded, overlay));
  return outcome.kind === 'loaded' ? { kind: 'loaded', good: { ...outcome.good, overlay } } : outcome;
}

function withoutFile(file: string | undefined): Problem {
  const lack = file === undefined ? 'none is named' : `there is no ${file}`;
  const message = `is missing: a twin without it is laid over the gateway's own file, and ${lack}. Put it there, or give the twin a whole configuration`;
  return { path: 'sources', message };
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
