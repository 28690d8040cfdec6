// Anything in the place of each of the spool's files and folders, and beside them. Whatever it is, the spool opens at once,
// tells the truth about what it still has, says when something is lost, and works.
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { decodeBody } from '../../../wire/body.ts';
import type { Spool } from '../spool.ts';
import { oddFiles } from '../testing/odd-files.ts';
import { change, closed, readingsIn, takeAll, window } from '../testing/open-test-spool.ts';
import { openPlain, spoolPlaces, UsedSpools, usedWindows } from '../testing/spool-places.ts';

const spools = new UsedSpools(quickFolder('places'));
afterAll(() => rmSync(spools.root, { recursive: true, force: true }));

async function idsIn(spool: Spool): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const { message } of await takeAll(spool, 'backlog')) {
    const { startWindow, endWindow, schema } = message.properties;
    const range = window(Number(startWindow), Number(endWindow));
    const options = {
      schema: schema ?? '',
      contentEncoding: message.contentEncoding,
      index: 'sequence' as const,
    };
    expect(decodeBody(message.body, options), message.messageId).toEqual(readingsIn(range));
    ids.add(message.messageId);
  }
  return ids;
}

// A fifth of all, others in each place, and what once kept a start from ending; HOLDFAST_ALL_KINDS=1 tries each kind in each place.
const share = process.env.HOLDFAST_ALL_KINDS === undefined ? 5 : 1;
const places = /^(FORMAT\.json|lock|lock\/LOCK|store\/(wal|values)|(a segment of|beside) the .* log)$/;
const kinds = /^(an empty file|an empty folder|a pipe|a file of 3 GiB|a link that .*|a link in .*)$/;
const isTried = (place: string, placeAt: number, kind: string, kindAt: number) =>
  (kindAt + placeAt) % share === 0 || (places.test(place) && kinds.test(kind));

describe.each(Object.keys(spoolPlaces).map((place, at) => [place, at] as const))(
  'in the place of %s',
  (place, placeAt) => {
    it.each(Object.keys(oddFiles).filter((kind, at) => isTried(place, placeAt, kind, at)))(
      '%s',
      async (kind) => {
        const folder = await spools.make();
        oddFiles[kind]!(spoolPlaces[place]!(folder));

        const spool = await openPlain(folder);
        const { floor = 0, continuity } = spool.openStream('a', 'sequence');
        const known = (await idsIn(spool)).size;
        const told = () => spool.stats().damaged + (spool.stats().repair === undefined ? 0 : 1);
        const soon = Date.now() + 30_000;
        while (known < usedWindows && told() === 0 && Date.now() < soon)
          await new Promise((resolve) => setImmediate(resolve));
        // The whole spool gone is a new one; nothing in it can tell.
        if (place !== 'spool') {
          if (known < usedWindows) expect(told()).toBeGreaterThan(0);
          if (floor < usedWindows * 10) expect(continuity).toBe('lost');
        }
        await spool.commitWindows([change('a', [closed('a', window(9000, 9010))])]);
        await spool.close();
        const next = await openPlain(folder);
        expect(next.openStream('a', 'sequence')).toMatchObject({ floor: 9010, continuity: 'proven' });
        expect(next.stats().repair).toBeUndefined();
        expect(await idsIn(next)).toContain('a;9000-9010');
        await next.close();
        rmSync(dirname(folder), { recursive: true });
      },
    );
  },
);

describe('files and folders that others may read', () => {
  it('are closed to them at the next start', async () => {
    const folder = await spools.make();
    execFileSync('chmod', ['-R', 'a+rX', folder]);
    await (await openPlain(folder)).close();
    const loose = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => (statSync(join(folder, name)).mode & 0o077) !== 0)
      // LevelDB's own new files are as the process makes them: the module's umask is 077.
      .filter((name) => !/(LOG|LOCK|CURRENT|MANIFEST-\d+|\d+\.(log|ldb))$/.test(name));
    expect(loose).toEqual([]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });
});
