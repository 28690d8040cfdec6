// `holdfast probe --discover`: finds out what it can of one device, and prints a source ready to paste. All that it prints is
// YAML: what it found stands in comments.
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import { discoveries } from '../adapters.ts';
import { loadValue, validateConfig } from '../config/load.ts';
import { withDurations } from '../config/values.ts';
import { writeYaml } from '../config/yaml-text.ts';
import { exitCodes } from './exit-codes.ts';
import { printable } from './spool-text.ts';

export interface DiscoverOptions {
  /** Findings and source as one line of JSON. */
  readonly json?: boolean;
  /** For the whole of it, in seconds. */
  readonly timeout: number;
  readonly dataFolder: string;
}

const signals = ['SIGINT', 'SIGTERM'] as const;
const badInput: ReadonlySet<string> = new Set(['discover-bad-address', 'config-invalid']);

/** Returns the exit code. `print` takes one line. */
export async function discover(
  address: string,
  { json = false, timeout, dataFolder }: DiscoverOptions,
  clock: Clock,
  print: (line: string) => void = (line) => console.log(line),
): Promise<number> {
  const where = URL.parse(address);
  const found = discoveries.get(where?.protocol.slice(0, -1) ?? '');
  if (!where || !found) {
    const usages = [...new Set([...discoveries.values()].map(({ discovery }) => discovery.usage))].join(', ');
    console.error(`holdfast: ${address} is no address that can be looked at; write ${usages}`);
    return exitCodes.badInput;
  }
  const stop = new AbortController();
  const onSignal = () => stop.abort(new Error('interrupted'));
  for (const signal of signals) process.once(signal, onSignal);
  const timer = clock.setTimer(timeout * 1000, () => stop.abort(new Error(`not done within ${timeout} s`)));
  const findings: string[] = [];
  const say = (line: string) => {
    findings.push(line);
    // What equipment says of itself must not end the comment.
    if (!json) print(`# ${printable(line)}`);
  };
  try {
    const folder = join(dataFolder, found.name);
    const { settings, tag } = found.discovery.asSource(where);
    // In the words in which a configuration's mistakes are said.
    validateConfig({ dataFolder, sources: [{ ...settings, tags: [tag] }] }, address);
    const given = withDurations(settings) as typeof settings;
    const source = await found.discovery.run(given, { clock, signal: stop.signal, folder, say });
    // What the check would refuse helps nobody.
    await loadValue({ dataFolder, sources: [source] }, 'what was found');
    print(json ? JSON.stringify({ findings, source }) : writeYaml([source]));
    return exitCodes.ok;
  } catch (error) {
    const isBadInput = error instanceof HoldfastError && badInput.has(error.code);
    console.error(`holdfast: ${describeError(error)}`);
    return isBadInput ? exitCodes.badInput : exitCodes.failed;
  } finally {
    timer.cancel();
    for (const signal of signals) process.off(signal, onSignal);
  }
}
