// What the embedded database is worth when its process is killed; pglite-power-cut.process.test.ts has the same for
// the machine.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { randomInt, seededRandom } from '../../kernel/random.ts';
import { openPgliteDatabase } from './pglite-database.ts';

const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const random = seededRandom(seed);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-pglite-'));
const script = fileURLToPath(new URL('../testing/commit-forever.ts', import.meta.url));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Commits until killed, `lifetimeMs` after it was ready; the last number whose commit had returned. */
async function commitAndDie(lifetimeMs: number): Promise<number> {
  const child = spawn(process.execPath, [script, join(folder, 'data')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<string | number | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code)),
  );
  let last = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, number] = line.split(' ');
    if (word === 'ready') setTimeout(() => child.kill('SIGKILL'), lifetimeMs);
    last = Number(number ?? word);
  }
  expect(await ended).toBe('SIGKILL');
  return last;
}

test(`a kill -9 of the process loses no commit and leaves a sound folder (HOLDFAST_SEED=${seed})`, async () => {
  let committed = 0;
  for (let round = 0; round < 4; round++) {
    const last = await commitAndDie(50 + randomInt(random, 500));
    expect(last).toBeGreaterThan(committed);
    committed = last;
  }
  const database = await openPgliteDatabase(join(folder, 'data'));
  const rows = await database.query<{ n: number; whole: boolean }>(
    'select n, filling = repeat(n::text, 200) as whole from written order by n',
  );
  // One more than was printed, if the kill came between the commit and the print.
  expect(rows.length - committed).toBeOneOf([0, 1]);
  expect(rows.every(({ n, whole }, i) => n === i + 1 && whole)).toBe(true);
  const [settings] = await database.query<{ fsync: string }>("select current_setting('fsync') as fsync");
  await database.close();
  expect(settings!.fsync).toBe('on');
});
