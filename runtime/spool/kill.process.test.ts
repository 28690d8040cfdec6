// kill -9 at random moments of a real run on a real LevelDB. What the process had promised before is checked
// against what comes out in the end.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { checkPromises, factsIn } from './testing/kill-oracle.ts';

const kills = Number(process.env.HOLDFAST_KILLS ?? 15);
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-kill-'));
const logFile = join(folder, 'promises.jsonl');
const child = join(import.meta.dirname, 'testing', 'kill-child.ts');

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `start`: killed so long after it began; `work`: after it had opened its spool; `drain`: ends by itself. */
type Life = { readonly start: number } | { readonly work: number } | 'drain';

async function run(number: number, life: Life): Promise<void> {
  const drain = life === 'drain' ? ['drain'] : [];
  const sizeBefore = logSize();
  const args = [child, join(folder, 'spool'), logFile, String(number), ...drain];
  const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<void>((resolve) => process_.on('exit', () => resolve()));
  if (life !== 'drain') {
    if ('work' in life) await Promise.race([firstWord(sizeBefore), ended]);
    await wait('work' in life ? life.work : life.start);
    process_.kill('SIGKILL');
  }
  await ended;
}

/** The child's first word comes once its spool is open. */
async function firstWord(sizeBefore: number): Promise<void> {
  while (logSize() <= sizeBefore) await wait(5);
}

function logSize(): number {
  return statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
}

describe(`kill -9, ${kills} times (HOLDFAST_SEED=${seed})`, () => {
  it('keeps every promise that was made before', { timeout: 60_000 + kills * 4000, retry: 0 }, async () => {
    const random = seededRandom(seed);
    // Some die while they start and recover, most in the middle of their work.
    for (let n = 0; n < kills; n++) {
      await run(n, n % 4 === 0 ? { start: 150 + random.next() * 600 } : { work: 20 + random.next() * 800 });
    }
    await run(kills, 'drain');
    const facts = factsIn(logFile);
    const sent = facts.flatMap((fact) => fact.sent ?? []);
    // The run was one: something was promised, sent and acknowledged in most lives.
    expect(facts.filter(({ durable }) => durable !== undefined).length).toBeGreaterThan(kills * 10);
    expect(sent.length).toBeGreaterThan(kills * 5);

    checkPromises(facts, kills, false);
  });
});
