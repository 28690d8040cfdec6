// What the embedded database is worth when the machine loses power: of its disk only what was synced is there.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { canMountLoop, makeLoopDisk } from '../../runtime/spool/testing/loop-disk.ts';
import { openPgliteDatabase } from './pglite-database.ts';

const script = fileURLToPath(new URL('../testing/commit-forever.ts', import.meta.url));

/** Resolves when `count` commits have returned; `last` goes on counting. */
async function commit(folder: string, count: number): Promise<{ child: ChildProcess; last: () => number }> {
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let last = 0;
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      last = Number(line.split(' ')[1] ?? line);
      if (last >= count) resolve();
    });
  });
  child.removeAllListeners('exit');
  return { child, last: () => last };
}

describe.skipIf(!canMountLoop())('a power cut', () => {
  test('loses no commit and leaves a folder that opens', { retry: 0, timeout: 120_000 }, async () => {
    const disk = makeLoopDisk(384);
    try {
      const { child, last } = await commit(join(disk.folder, 'data'), 200);
      // Stopped, not ended: its files stay open, so that nothing is written out behind it.
      child.kill('SIGSTOP');
      const committed = last();
      disk.mountAnew();
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      const database = await openPgliteDatabase(join(disk.folder, 'data'));
      const rows = await database.query<{ n: number; whole: boolean }>(
        'select n, filling = repeat(n::text, 200) as whole from written order by n',
      );
      await database.close();
      expect(rows.length).toBeGreaterThanOrEqual(committed);
      expect(rows.every(({ n, whole }, i) => n === i + 1 && whole)).toBe(true);
    } finally {
      disk.remove();
    }
  });
});
