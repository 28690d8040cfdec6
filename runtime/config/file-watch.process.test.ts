import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { type FileWatch, watchFiles } from './file-watch.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
let watch: FileWatch;
afterEach(() => watch.stop());

async function bench(pollMs = 60_000) {
  const folder = mkdtempSync(join(tmpdir(), 'watch-'));
  const file = join(folder, 'site.yaml');
  let changes = 0;
  watch = watchFiles({ clock: systemClock, onChange: () => changes++, restMs: 60, pollMs });
  return { folder, file, changes: () => changes };
}

describe('watching files', () => {
  it('tells once of a file that is written piece by piece, after it has rested', async () => {
    const { file, changes } = await bench();
    writeFileSync(file, 'a');
    await watch.follow([file]);
    for (let n = 0; n < 10; n++) {
      writeFileSync(file, 'b'.repeat(n + 2));
      await pause(20);
      expect(changes()).toBe(0);
    }
    await pause(250);
    expect(changes()).toBe(1);
  });

  it('sees a file replaced, removed and made, and a link that is turned to another', async () => {
    const { folder, file, changes } = await bench();
    await watch.follow([file]);
    writeFileSync(`${file}.new`, 'a');
    await pause(150);
    expect(changes()).toBe(0);
    renameSync(`${file}.new`, file);
    await pause(250);
    expect(changes()).toBe(1);
    rmSync(file);
    await pause(250);
    expect(changes()).toBe(2);
    mkdirSync(join(folder, 'v2'));
    writeFileSync(join(folder, 'v2', 'site.yaml'), 'c');
    symlinkSync(join(folder, 'v2', 'site.yaml'), file);
    await pause(250);
    expect(changes()).toBe(3);
  });

  it('looks every so often where the system tells nothing, also into folders that come later', async () => {
    const { folder, changes } = await bench(50);
    const later = join(folder, 'later', 'site.yaml');
    await watch.follow([later]);
    mkdirSync(join(folder, 'later'));
    writeFileSync(later, 'a');
    await pause(400);
    expect(changes()).toBe(1);
    watch.stop();
    writeFileSync(later, 'bb');
    await pause(300);
    expect(changes()).toBe(1);
  });
});
