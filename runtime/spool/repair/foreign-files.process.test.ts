// Files of a spool that the module's user may not read or write: the module runs as another user than root, so in a process
// of its own. What else may stand in their places, pipes among it, foreign-files.test.ts tries.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { startModule } from '../../../test/support/module-process.ts';
import { spoolPlaces, UsedSpools, usedWindows } from '../testing/spool-places.ts';

const spools = new UsedSpools(quickFolder('rights'));
afterAll(() => rmSync(spools.root, { recursive: true, force: true }));

const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
const child = join(import.meta.dirname, '..', 'testing', 'forbidden-child.ts');

interface ChildFound {
  readonly floor?: number;
  readonly continuity: string;
  readonly messages: number;
  readonly damaged: number;
  readonly state: string;
  readonly told: readonly string[];
}

/** As a user who is not root, if we are. What is found in each folder. */
async function openElsewhere(...folders: readonly string[]): Promise<readonly ChildFound[]> {
  const as = isRoot ? { uid: nobody, gid: nobody } : {};
  const { stdout } = await promisify(execFile)(process.execPath, [child, ...folders], as);
  return JSON.parse(stdout) as readonly ChildFound[];
}

function giveAway(folder: string): void {
  if (isRoot) execFileSync('chown', ['-R', `${nobody}:${nobody}`, dirname(folder)]);
  chmodSync(spools.root, 0o755);
}

/** The folder is nobody's, the file in it is root's. */
function takeAway(folder: string, path: string): void {
  giveAway(folder);
  execFileSync('chown', ['0:0', path]);
  chmodSync(path, 0o600);
}

/** For each place a folder where `spoil` was done to it, and what a start in it found. */
async function foundWith(
  places: readonly string[],
  spoil: (folder: string, path: string) => void,
): Promise<readonly (readonly [place: string, found: ChildFound])[]> {
  const folders: string[] = [];
  for (const place of places) {
    const folder = await spools.make();
    spoil(folder, spoolPlaces[place]!(folder));
    folders.push(folder);
  }
  const found = await openElsewhere(...folders);
  return places.map((place, n) => [place, found[n]!]);
}

describe('without leave to read or write', () => {
  it('files and folders of our own: we give ourselves leave, nothing is lost', async () => {
    const known = Object.keys(spoolPlaces).filter(
      (place) => !/beside|new|quarantine|keys|old|starts|ballast|reserve/.test(place),
    );
    const found = await foundWith(known, (folder, path) => {
      giveAway(folder);
      chmodSync(path, 0);
    });
    expect(found.length).toBeGreaterThan(15);
    for (const [place, { told, ...rest }] of found) {
      const whole = { floor: usedWindows * 10, messages: usedWindows, damaged: 0 };
      expect(rest, place).toMatchObject(whole);
      // A mark whose mode was changed long after it was written may be a copy.
      if (place !== 'high-water.json') expect(rest.continuity, place).toBe('proven');
      expect(told.join(), place).toContain('its mode was changed');
    }
  });

  it.runIf(isRoot)("somebody else's file: it is waited for a while, then done without", async () => {
    const places = ['FORMAT.json', 'store/MANIFEST', 'a table', 'a segment of the write-ahead log'];
    for (const [place, found] of await foundWith(places, takeAway)) {
      expect(found.told.join(), place).toContain('trying again');
      expect(found.told.join(), place).toContain('was renamed');
      if (found.messages < usedWindows) expect(found.damaged, place).toBeGreaterThan(0);
      if ((found.floor ?? 0) < usedWindows * 10) expect(found.continuity, place).toBe('lost');
    }
  });

  it.runIf(isRoot)(
    "somebody else's segment of the value log: its messages wait, the rest works, and status says so",
    async () => {
      const folder = await spools.make();
      const path = spoolPlaces['a segment of the value log']!(folder);
      takeAway(folder, path);
      expect(await openElsewhere(folder)).toMatchObject([{ messages: 0, damaged: 0, state: 'failing' }]);
      execFileSync('chown', [`${nobody}:${nobody}`, path]);
      expect(await openElsewhere(folder)).toMatchObject([
        { messages: usedWindows + 1, damaged: 0, state: 'ok' },
      ]);
    },
  );

  it.runIf(isRoot)("somebody else's mark: another one is begun", async () => {
    const folder = await spools.make();
    takeAway(folder, spoolPlaces['high-water.json']!(folder));
    expect(await openElsewhere(folder, folder)).toMatchObject([
      { messages: usedWindows, continuity: 'lost' },
      { messages: usedWindows + 1, continuity: 'proven' },
    ]);
  });
});

it('all that the module makes in its folder is closed to others, whatever the umask that it was started with', async () => {
  const home = join(spools.root, 'module');
  const [config, dataFolder] = [join(home, 'site.yaml'), join(home, 'data')];
  mkdirSync(home, { recursive: true });
  writeFileSync(config, JSON.stringify({ dataFolder, sources: [], statusPort: 0 }));
  const umask = process.umask(0);
  // No hub is there.
  const connection =
    'HostName=localhost;GatewayHostName=localhost:1;DeviceId=d;ModuleId=m;SharedAccessKey=a2V5';
  const starting = startModule({ config, env: { HOLDFAST_CONNECTION_STRING: connection } });
  process.umask(umask);
  const module = await starting;
  await module.end('SIGTERM');
  const names = ['', ...readdirSync(dataFolder, { recursive: true, encoding: 'utf8' })];
  expect(names.length).toBeGreaterThan(10);
  const open = names.filter((name) => (statSync(join(dataFolder, name)).mode & 0o077) !== 0);
  expect(open).toEqual([]);
});
