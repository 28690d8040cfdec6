// `holdfast status` and `holdfast bundle`: ask the module that runs on this machine, over its status port.
import { type Clock, sleep } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import { readStatusToken } from '../config/identity.ts';
import type { Overview } from '../health/overview.ts';
import { exitCodes } from './exit-codes.ts';
import { statusText } from './status-text.ts';

export interface AskOptions {
  /** Where its status port is. */
  readonly url: string;
}

export interface StatusOptions extends AskOptions {
  readonly json?: boolean;
  /** Asks again and again until the process is ended. */
  readonly watch?: boolean;
}

export const defaultStatusUrl = 'http://127.0.0.1:9600';
const watchMs = 2000;
const limitMs = 10_000;
const clearScreen = '\u001b[2J\u001b[H';

/** Resolves with the exit code; under `watch` only when the output has gone. */
export async function showStatus({ url, json, watch }: StatusOptions, clock: Clock): Promise<number> {
  for (;;) {
    const asked = await ask(url, '/overview', clock);
    if (!asked.ok) {
      if (watch !== true) return complain(asked.problem);
      process.stdout.write(`${clearScreen}${asked.problem}\n`);
    } else {
      const overview = (await asked.response.json()) as Overview;
      const text = json ? JSON.stringify(overview) : statusText(overview);
      process.stdout.write(`${watch && !json ? clearScreen : ''}${text}\n`);
    }
    if (watch !== true) return exitCodes.ok;
    await sleep(clock, watchMs);
  }
}

/** Writes the archive to standard output. Resolves with the exit code. */
export async function fetchBundle({ url }: AskOptions, clock: Clock): Promise<number> {
  if (process.stdout.isTTY) return complain('the bundle is an archive: holdfast bundle > bundle.tar.gz');
  const asked = await ask(url, '/bundle', clock);
  if (!asked.ok) return complain(asked.problem);
  const bytes = Buffer.from(await asked.response.arrayBuffer());
  await new Promise<void>((resolve) => process.stdout.write(bytes, () => resolve()));
  return exitCodes.ok;
}

type Asked =
  | { readonly ok: true; readonly response: Response }
  | { readonly ok: false; readonly problem: string };

async function ask(url: string, path: string, clock: Clock): Promise<Asked> {
  const abort = new AbortController();
  const timer = clock.setTimer(limitMs, () => abort.abort(new Error(`no answer within ${limitMs / 1000} s`)));
  try {
    const token = await readStatusToken(process.env);
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(new URL(path, url), { headers, signal: abort.signal });
    if (response.ok) return { ok: true, response };
    const { error } = (await response.json()) as { error?: string };
    return { ok: false, problem: `${url} answers ${response.status}: ${error ?? 'no reason given'}` };
  } catch (error) {
    const why = describeError((error as { cause?: unknown }).cause ?? error);
    return {
      ok: false,
      problem: `no module answers at ${url} (${why}): does it run, and is its statusPort another? Then name it with --url`,
    };
  } finally {
    timer.cancel();
  }
}

function complain(problem: string): number {
  console.error(problem);
  return exitCodes.failed;
}
