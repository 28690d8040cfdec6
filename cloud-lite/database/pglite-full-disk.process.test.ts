// A disk that is full when the embedded database needs another file of its log: it would never answer again, nor let
// anything else run in its process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { canMountLoop, makeLoopDisk } from '../../runtime/spool/testing/loop-disk.ts';

const script = fileURLToPath(new URL('../testing/fill-log.ts', import.meta.url));

describe.skipIf(!canMountLoop())('a full disk', () => {
  test('ends the process by name, instead of stopping it', { timeout: 60_000 }, async () => {
    const disk = makeLoopDisk(260);
    const folder = join(disk.folder, 'data');
    const child = spawn(process.execPath, [script, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      const lines: string[] = [];
      const reader = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
      await once(reader, 'line');
      disk.fill(100_000);
      const gone = once(child, 'exit');
      child.stdin.write('go\n');
      expect(await gone).toEqual([1, null]);
      expect(lines[1]).toMatch(/^ended by .*pg_wal.*no space left/i);
    } finally {
      child.kill('SIGKILL');
      disk.remove();
    }
  });
});
