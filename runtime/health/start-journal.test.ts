import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { openStartJournal, pauseAfter, recordOfStart } from './start-journal.ts';

const settings = { free: 2, quickMs: 60_000, maxPauseMs: 10_000 };

async function start(folder: string, boot = 'boot-1', clock = new VirtualClock()) {
  const journal = await openStartJournal({ folder, boot, settings, clock, log: silentLog });
  return { journal, clock };
}
const makeFolder = () => mkdtempSync(join(tmpdir(), 'starts-'));

describe('the journal of starts', () => {
  it('after some crashes in a row a start waits, twice as long each time, up to a limit', async () => {
    const folder = makeFolder();
    const pauses = [];
    for (let n = 0; n < 9; n++) pauses.push((await start(folder)).journal.pauseMs);
    expect(pauses).toEqual([0, 0, 0, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    expect(pauseAfter(1_000_000, settings)).toBe(10_000);
  });

  it('a good stop, or a run that held, is where counting begins anew', async () => {
    const folder = makeFolder();
    for (let n = 0; n < 5; n++) await start(folder);
    const { journal } = await start(folder);
    expect(journal.crashes).toBe(5);
    await journal.stopped();
    expect((await start(folder)).journal.crashes).toBe(0);
    for (let n = 0; n < 5; n++) await start(folder);
    const { clock } = await start(folder);
    await clock.advance(59_999);
    expect(JSON.parse(readFileSync(join(folder, 'last-run.json'), 'utf8')).state).toBe('running');
    await clock.advance(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await start(folder)).journal.crashes).toBe(0);
  });

  it('a power cut is no crash', async () => {
    const folder = makeFolder();
    for (let n = 0; n < 5; n++) await start(folder, `boot-${n}`);
    expect((await start(folder, 'boot-9')).journal.crashes).toBe(0);
    expect(recordOfStart({ boot: 'a', crashes: 7, state: 'running' }, 'b').crashes).toBe(0);
  });

  it.each(['', '{', '[]', 'null', '{"boot":"boot-1","crashes":-4,"state":"running"}', '{"boot":"boot-1"}'])(
    'a file that holds %j counts for nothing',
    async (text) => {
      const folder = makeFolder();
      writeFileSync(join(folder, 'last-run.json'), text);
      expect((await start(folder)).journal).toMatchObject({ crashes: 0, pauseMs: 0 });
    },
  );

  it('where it cannot be written nothing waits and nothing fails', async () => {
    const { journal } = await start('/no/such/folder');
    expect(journal.pauseMs).toBe(0);
    await journal.stopped();
  });
});
