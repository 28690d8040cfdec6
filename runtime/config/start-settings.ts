// The settings that a start needs before the spool, and with it the last good configuration, is open: a copy of
// the last good one without its sources, in a file beside the spool. Missing or damaged, defaults stand in.
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, loadConfig, validateConfig } from './load.ts';
import type { Config } from './schema.ts';
import type { ConfigOrigin } from './version.ts';

const fileName = 'start-settings.json';

/** What the next start will most probably run with; its `sources` say nothing. Never rejects. */
export async function readStartSettings(options: {
  readonly dataFolder: string;
  readonly file: string | undefined;
  readonly heedTwin: boolean;
}): Promise<Config> {
  const { dataFolder, file, heedTwin } = options;
  const kept = await readKept(dataFolder);
  // As the keeper decides: what the twin configured stands above the gateway's own file.
  if (kept && kept.origin !== 'file' && heedTwin) return kept.config;
  return (await fromFile(file)) ?? kept?.config ?? validateConfig({ sources: [] }, 'defaults');
}

export async function keepStartSettings(
  dataFolder: string,
  config: Config,
  origin: ConfigOrigin,
): Promise<void> {
  const text = `${JSON.stringify({ origin, config: { ...config, sources: [] } }, null, 1)}\n`;
  const file = join(dataFolder, fileName);
  if ((await readFile(file, 'utf8').catch(() => '')) === text) return;
  const handle = await open(`${file}.new`, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

async function readKept(dataFolder: string): Promise<{ origin: string; config: Config } | undefined> {
  try {
    const { origin, config } = JSON.parse(await readFile(join(dataFolder, fileName), 'utf8'));
    return { origin: String(origin), config: validateConfig(config, fileName) };
  } catch {
    return undefined;
  }
}

async function fromFile(file: string | undefined): Promise<Config | undefined> {
  if (file === undefined) return undefined;
  try {
    return (await loadConfig(file)).config;
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
