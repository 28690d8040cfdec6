import type { Clock } from '../../kernel/clock.ts';
import { ConfigError, loadConfig } from '../config/load.ts';
import { exitCodes } from './exit-codes.ts';

/** Prints what is wrong with a configuration, or what it would run. Returns the exit code. */
export async function checkConfig(file: string, _asJson: boolean, _clock: Clock): Promise<number> {
  try {
    const { config } = await loadConfig(file);
    const tags = config.sources.reduce((sum, source) => sum + source.tags.length, 0);
    console.log(`${file}: valid. Sources: ${config.sources.length}, tags: ${tags}.`);
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return exitCodes.badInput;
  }
}
