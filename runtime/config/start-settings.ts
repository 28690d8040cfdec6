// The settings that a start needs before the spool, which holds the last good configuration, is open: a copy of the last
// good one without its sources, in a file beside the spool. Where it is missing or damaged, defaults apply.
import { join } from 'node:path';
import { readSmallFile, replaceFile } from '../../kernel/small-file.ts';
import { ConfigError } from './config-error.ts';
import { loadConfig, validateConfig } from './load.ts';
import { isOverlay, loadOver, type Overlay } from './overlay.ts';
import type { Config } from './schema.ts';
import type { ConfigOrigin } from './version.ts';

const fileName = 'start-settings.json';
// All of a configuration but its sources.
const maxBytes = 1024 * 1024;

/** The settings that the next start will most probably run with, without `sources`. Never rejects. */
export async function readStartSettings(options: {
  readonly dataFolder: string;
  readonly file: string | undefined;
  readonly useTwin: boolean;
}): Promise<Config> {
  const { dataFolder, file, useTwin } = options;
  const kept = await readKept(dataFolder);
  // As the active configuration is decided: what the twin configured stands above the gateway's own file.
  const overlay = useTwin ? kept?.overlay : undefined;
  if (kept && kept.origin !== 'file' && useTwin && overlay === undefined) return kept.config;
  return (await fromFile(file, overlay)) ?? kept?.config ?? validateConfig({ sources: [] }, 'defaults');
}

export async function keepStartSettings(
  dataFolder: string,
  config: Config,
  origin: ConfigOrigin,
  overlay?: Overlay,
): Promise<void> {
  const text = `${JSON.stringify({ origin, config: { ...config, sources: [] }, overlay }, null, 1)}\n`;
  const file = join(dataFolder, fileName);
  const kept = await readSmallFile(file, maxBytes).catch(() => undefined);
  if (kept?.toString('utf8') === text) return;
  await replaceFile(file, text, { sync: true });
}

interface Kept {
  readonly origin: string;
  readonly config: Config;
  readonly overlay?: Overlay;
}

async function readKept(dataFolder: string): Promise<Kept | undefined> {
  try {
    const kept = await readSmallFile(join(dataFolder, fileName), maxBytes);
    const { origin, config, overlay } = JSON.parse(kept?.toString('utf8') ?? '');
    const own = { origin: String(origin), config: validateConfig(config, fileName) };
    return isOverlay(overlay) ? { ...own, overlay } : own;
  } catch {
    return undefined;
  }
}

async function fromFile(file: string | undefined, overlay: Overlay | undefined): Promise<Config | undefined> {
  if (file === undefined) return undefined;
  try {
    const own = await loadConfig(file);
    const { config } = overlay === undefined ? own : await loadOver(own, overlay);
    return { ...config, sources: [] };
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
