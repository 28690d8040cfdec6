// Reads which configuration the module twin's desired properties ask for. Pure.
//
// A twin without any of our properties leaves the gateway's own file in charge. One with `sources` is a whole configuration, one with
// `configFile` names a file with one, and nothing is merged with those: settings of two places are hard for people to understand. All
// others are settings to lay over the gateway's own file: those few that say how the module works (overlay.ts).
import { isAbsolute } from 'node:path';
import type { Overlay } from './overlay.ts';
import type { Problem } from './problem-text.ts';

export type TwinWish =
  | { readonly kind: 'none' }
  | { readonly kind: 'inline'; readonly version: string; readonly value: Record<string, unknown> }
  | { readonly kind: 'file'; readonly version: string; readonly path: string; readonly hash?: string }
  | { readonly kind: 'settings'; readonly version: string; readonly overlay: Overlay }
  | { readonly kind: 'bad'; readonly version: string; readonly problems: readonly Problem[] };

export function twinWish(desired: Readonly<Record<string, unknown>>): TwinWish {
  const version = typeof desired.$version === 'number' ? String(desired.$version) : 'unknown';
  const value = Object.fromEntries(Object.entries(desired).filter(([name]) => !name.startsWith('$')));
  if (Object.keys(value).length === 0) return { kind: 'none' };
  const { configFile, configHash, ...rest } = value;
  if (configFile === undefined && configHash === undefined)
    return value.sources === undefined
      ? { kind: 'settings', version, overlay: value }
      : { kind: 'inline', version, value };
  const problems = [...fileProblems(configFile, configHash), ...restProblems(rest)];
  if (problems.length > 0) return { kind: 'bad', version, problems };
  const hash = configHash === undefined ? {} : { hash: configHash as string };
  return { kind: 'file', version, path: configFile as string, ...hash };
}

function fileProblems(file: unknown, hash: unknown): Problem[] {
  const problems: Problem[] = [];
  if (typeof file !== 'string' || !isAbsolute(file)) {
    problems.push({
      path: 'configFile',
      message: 'must be the absolute path of a file inside the module, such as /data/site.yaml',
    });
  }
  if (hash !== undefined && (typeof hash !== 'string' || !/^[0-9a-f]{64}$/i.test(hash))) {
    problems.push({ path: 'configHash', message: "must be the file's SHA-256: 64 hexadecimal digits" });
  }
  return problems;
}

function restProblems(rest: object): Problem[] {
  return Object.keys(rest).map((path) => ({
    path,
    message:
      'must not stand beside configFile: the file holds the whole configuration; remove one of the two',
  }));
}
