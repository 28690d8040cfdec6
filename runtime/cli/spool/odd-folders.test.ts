// What may stand where a stopped spool's locks and its quarantine should: the tools are for exactly such folders, and read on. As
// the module does at its start (foreign-files.test.ts).
import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { oddFiles } from '../../spool/testing/odd-files.ts';
import { spoolPlaces, UsedSpools, usedWindows } from '../../spool/testing/spool-places.ts';
import { openStoppedSpool } from './open.ts';
import { summarise } from './stats.ts';

const spools = new UsedSpools(mkdtempSync(join(tmpdir(), 'holdfast-odd-folders-')));
afterAll(() => rmSync(spools.root, { recursive: true, force: true }));

it.each(['lock', 'lock/LOCK', 'quarantine', 'store/LOCK'])(
  'something else at %s: all is read',
  async (place) => {
    for (const [kind, make] of Object.entries(oddFiles)) {
      const folder = await spools.make();
      const path = spoolPlaces[place]!(folder);
      make(path);
      const spool = await openStoppedSpool(folder);
      expect(summarise(spool.reader).stored.messages, kind).toBe(usedWindows);
      const facts = lstatSync(path, { throwIfNoEntry: false });
      const isTold = place.endsWith('LOCK') && facts !== undefined && !facts.isFile();
      expect(spool.warning ?? '', kind).toContain(isTold ? `${path} is no file, so no lock is held` : '');
      await spool.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
