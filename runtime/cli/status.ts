// `holdfast status` and `holdfast bundle`: ask the module that runs on this machine, over its status port.
import { type Clock, sleep } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import { readStatusToken } from '../config/identity.ts';
import type { Overview } from '../health/overview.ts';
import { exitCodes } from './exit-codes.ts';
import { fitText, statusText } from './status-text.ts';

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
    const asked = await ask(url, '/overview', clock, readOverview);
    if (!asked.ok && (json || !watch)) complain(asked.problem);
    else if (json && asked.ok) process.stdout.write(`${JSON.stringify(asked.answer)}\n`);
    else {
      const text = asked.ok ? statusText(asked.answer) : asked.problem;
      process.stdout.write(watch ? onScreen(text) : `${text}\n`);
    }
    if (watch !== true) return asked.ok ? exitCodes.ok : exitCodes.failed;
    await sleep(clock, watchMs);
  }
}

/** In place of what stood on the terminal before. */
function onScreen(text: string): string {
  const { isTTY, rows, columns } = process.stdout;
  if (!isTTY) return `${text}\n\n`;
  // A terminal that was not told its size yet, as of `docker exec -t`, has none.
  return `${clearScreen}${rows > 0 && columns > 0 ? fitText(text, { rows, columns }) : text}\n`;
}

async function readOverview(response: Response): Promise<Overview> {
  const text = await response.text();
  try {
    const overview = JSON.parse(text) as Overview;
    if (typeof overview.status.version === 'string') return overview;
  } catch {
    // Told below.
  }
  throw new Error('what answers there is no module of this kind');
}

/** Writes the archive to standard output. Resolves with the exit code. */
export async function fetchBundle({ url }: AskOptions, clock: Clock): Promise<number> {
  if (process.stdout.isTTY) return complain('the bundle is an archive: holdfast bundle > bundle.tar.gz');
  const asked = await ask(url, '/bundle', clock, async (response) =>
    Buffer.from(await response.arrayBuffer()),
  );
  if (!asked.ok) return complain(asked.problem);
  await new Promise<void>((resolve) => process.stdout.write(asked.answer, () => resolve()));
  return exitCodes.ok;
}

type Asked<T> = { readonly ok: true; readonly answer: T } | { readonly ok: false; readonly problem: string };

/** The answer is read within the time limit, too: whoever stops amid it must not leave an old screen standing. */
async function ask<T>(
  url: string,
  path: string,
  clock: Clock,
  read: (response: Response) => Promise<T>,
): Promise<Asked<T>> {
  const abort = new AbortController();
  const timer = clock.setTimer(limitMs, () => abort.abort(new Error(`no answer within ${limitMs / 1000} s`)));
  try {
    const token = await readStatusToken(process.env);
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(new URL(path, url), { headers, signal: abort.signal });
    if (response.ok) return { ok: true, answer: await read(response) };
    const { error } = (await response.json().catch(() => ({}))) as { error?: string };
    return { ok: false, problem: `${url} answers ${response.status}: ${error ?? 'no reason given'}` };
  } catch (error) {
    const why = describeError((error as { cause?: unknown }).cause ?? error);
    return {
      ok: false,
      problem: `no module answers at ${url} (${why}): does it run? While it starts, its log says what it waits for. If its statusPort is another, name it with --url`,
    };
  } finally {
    timer.cancel();
  }
}

function complain(problem: string): number {
  console.error(problem);
  return exitCodes.failed;
}
