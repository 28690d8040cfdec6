// Anything in the place of each of the spool's files and folders, and beside them. Whatever it is, the spool opens at once,
// tells the truth about what it still has, says when something is lost, and works.
import { execFile, execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { decodeBody } from '../../../wire/body.ts';
import { openSpool, type Spool } from '../spool.ts';
import { change, closed, readingsIn, takeAll, window } from '../testing/open-test-spool.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-places-'));
const template = join(root, 'template');
const windows = 40;
let copies = 0;

const open = (folder: string) =>
  openSpool({
    folder,
    clock: new VirtualClock(),
    log: silentLog,
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });

async function commit(spool: Spool, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    await spool.commitWindows([change('a', [closed('a', window(n * 10, n * 10 + 10))])]);
  }
}

beforeAll(async () => {
  for (let life = 0; life < 3; life++) {
    const spool = await open(template);
    await commit(spool, life * 10, life * 10 + 10);
    await spool.close();
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A folder that is known to be what was left. */
async function prepare(): Promise<string> {
  const folder = join(root, `copy-${copies++}`, 'spool');
  cpSync(template, folder, { recursive: true });
  const spool = await open(folder);
  await commit(spool, 30, windows);
  await spool.close();
  return folder;
}

const found = (folder: string, inside: string, pattern: RegExp) => {
  const [name] = readdirSync(join(folder, inside))
    .filter((each) => pattern.test(each))
    .sort();
  return join(folder, inside, name!);
};

const places: Readonly<Record<string, (folder: string) => string>> = {
  spool: (folder) => folder,
  'FORMAT.json': (folder) => join(folder, 'FORMAT.json'),
  'FORMAT.json.new': (folder) => join(folder, 'FORMAT.json.new'),
  'starts.json': (folder) => join(folder, 'starts.json'),
  'starts.json.new': (folder) => join(folder, 'starts.json.new'),
  'high-water.json': (folder) => join(folder, 'high-water.json'),
  ballast: (folder) => join(folder, 'ballast'),
  reserve: (folder) => join(folder, 'reserve'),
  lock: (folder) => join(folder, 'lock'),
  'lock/LOCK': (folder) => join(folder, 'lock', 'LOCK'),
  'lock/CURRENT': (folder) => join(folder, 'lock', 'CURRENT'),
  'lock/MANIFEST': (folder) => found(folder, 'lock', /^MANIFEST/),
  quarantine: (folder) => join(folder, 'quarantine'),
  keys: (folder) => join(folder, 'keys'),
  'store.new': (folder) => join(folder, 'store.new'),
  store: (folder) => join(folder, 'store'),
  'store/LOCK': (folder) => join(folder, 'store', 'LOCK'),
  'store/LOG': (folder) => join(folder, 'store', 'LOG'),
  'store/LOG.old': (folder) => join(folder, 'store', 'LOG.old'),
  'store/CURRENT': (folder) => join(folder, 'store', 'CURRENT'),
  'store/MANIFEST': (folder) => found(folder, 'store', /^MANIFEST/),
  "the index's log": (folder) => found(folder, 'store', /^\d+\.log$/),
  'a table': (folder) => found(folder, 'store', /\.ldb$/),
  'beside the tables': (folder) => join(folder, 'store', '999999.ldb'),
  'store/wal': (folder) => join(folder, 'store', 'wal'),
  'a segment of the write-ahead log': (folder) => found(folder, 'store/wal', /wal$/),
  'beside the write-ahead log': (folder) => join(folder, 'store', 'wal', '0002.wal'),
  'store/values': (folder) => join(folder, 'store', 'values'),
  'a segment of the value log': (folder) => found(folder, 'store/values', /values$/),
  'beside the value log': (folder) => join(folder, 'store', 'values', '00000099.values'),
};

const isFolder = (path: string) => existsSync(path) && statSync(path).isDirectory();

/** Where there is nothing yet, or a folder, some kinds are the same as others. */
const kinds: Readonly<Record<string, (path: string) => void>> = {
  missing: (path) => rmSync(path, { recursive: true, force: true }),
  'an empty file': (path) => replace(path, () => writeFileSync(path, '')),
  'cut in half': (path) => {
    if (existsSync(path) && !isFolder(path)) truncateSync(path, Math.floor(statSync(path).size / 2));
  },
  'with bytes appended': (path) => {
    if (!isFolder(path)) appendFileSync(path, 'x'.repeat(5000));
  },
  'an empty folder': (path) => replace(path, () => mkdirSync(path)),
  'a folder with something in it': (path) =>
    replace(path, () => {
      mkdirSync(path);
      writeFileSync(join(path, 'notes.txt'), 'not ours');
    }),
  'a link that leads nowhere': (path) => replace(path, () => symlinkSync('nowhere', path)),
  'a link in a circle': (path) => replace(path, () => symlinkSync(path, path)),
  'a pipe': (path) => replace(path, () => execFileSync('mkfifo', [path])),
  ...(canMakeDevices()
    ? { 'a device': (path: string) => replace(path, () => execFileSync('mknod', [path, 'c', '1', '5'])) }
    : {}),
  'a socket': (path) => replace(path, () => makeSocket(path)),
  'a file of 3 GiB': (path) => replace(path, () => sparse(path, 3 * 1024 ** 3)),
  'itself, grown to 3 GiB': (path) => {
    if (!isFolder(path)) sparse(path, 3 * 1024 ** 3);
  },
};

/** Root alone can, and not everywhere. This one gives zeros without end. */
function canMakeDevices(): boolean {
  const probe = join(root, 'device');
  try {
    execFileSync('mknod', [probe, 'c', '1', '5'], { stdio: 'pipe' });
    rmSync(probe);
    return true;
  } catch {
    process.stderr.write('skipped: no device files can be made here\n');
    return false;
  }
}

function replace(path: string, make: () => void): void {
  rmSync(path, { recursive: true, force: true });
  make();
}

function sparse(path: string, bytes: number): void {
  const file = openSync(path, existsSync(path) ? 'r+' : 'w');
  ftruncateSync(file, bytes);
  closeSync(file);
}

function makeSocket(path: string): void {
  const script =
    'import socket,sys,os; os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind(sys.argv[2])';
  execFileSync('python3', ['-c', script, dirname(path), path.slice(dirname(path).length + 1)]);
}

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

// A fifth of all, others in each place; HOLDFAST_ALL_KINDS=1 tries each kind in each place.
const share = process.env.HOLDFAST_ALL_KINDS === undefined ? 5 : 1;

describe.each(Object.keys(places).map((place, at) => [place, at] as const))(
  'in the place of %s',
  (place, placeAt) => {
    it.each(Object.keys(kinds).filter((_, at) => (at + placeAt) % share === 0))(
      '%s',
      { timeout: 10_000 },
      async (kind) => {
        const folder = await prepare();
        kinds[kind]!(places[place]!(folder));

        const spool = await open(folder);
        const { floor = 0, continuity } = spool.openStream('a', 'sequence');
        const known = (await idsIn(spool)).size;
        const told = () => spool.stats().damaged + (spool.stats().repair === undefined ? 0 : 1);
        for (let turns = 0; known < windows && told() === 0 && turns < 1000; turns++)
          await new Promise((resolve) => setImmediate(resolve));
        // The whole spool gone is a new one; nothing in it can tell.
        if (place !== 'spool') {
          if (known < windows) expect(told()).toBeGreaterThan(0);
          if (floor < windows * 10) expect(continuity).toBe('lost');
        }
        await spool.commitWindows([change('a', [closed('a', window(9000, 9010))])]);
        await spool.close();
        const next = await open(folder);
        expect(next.openStream('a', 'sequence')).toEqual({ floor: 9010, continuity: 'proven' });
        expect(next.stats().repair).toBeUndefined();
        expect(await idsIn(next)).toContain('a;9000-9010');
        await next.close();
        rmSync(dirname(folder), { recursive: true });
      },
    );
  },
);

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

/** As a user who is not root, if we are. */
async function openElsewhere(folder: string): Promise<ChildFound> {
  const as = isRoot ? { uid: nobody, gid: nobody } : {};
  const { stdout } = await promisify(execFile)(process.execPath, [child, folder], as);
  return JSON.parse(stdout) as ChildFound;
}

function giveAway(folder: string): void {
  if (isRoot) execFileSync('chown', ['-R', `${nobody}:${nobody}`, dirname(folder)]);
  chmodSync(root, 0o755);
}

const known = Object.keys(places).filter(
  (place) => !/beside|new|quarantine|keys|old|starts|ballast|reserve/.test(place),
);

describe('files and folders that others may read', () => {
  it('are closed to them at the next start', async () => {
    const folder = await prepare();
    execFileSync('chmod', ['-R', 'a+rX', folder]);
    await (await open(folder)).close();
    const loose = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => (statSync(join(folder, name)).mode & 0o077) !== 0)
      // LevelDB's own new files are as the process makes them: the module's umask is 077.
      .filter((name) => !/(LOG|LOCK|CURRENT|MANIFEST-\d+|\d+\.(log|ldb))$/.test(name));
    expect(loose).toEqual([]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });
});

describe('without leave to read or write', () => {
  it.each(known)('%s of our own: we give ourselves leave, nothing is lost', async (place) => {
    const folder = await prepare();
    giveAway(folder);
    const path = places[place]!(folder);
    chmodSync(path, 0);
    const found = await openElsewhere(folder);
    expect(found).toMatchObject({ floor: windows * 10, messages: windows, damaged: 0, continuity: 'proven' });
    expect(found.told.join()).toContain('its mode was changed');
  });

  const foreign = ['FORMAT.json', 'store/MANIFEST', 'a table', 'a segment of the write-ahead log'];
  it.runIf(isRoot).each(foreign)(
    '%s of somebody else: it is waited for a while, then done without',
    async (place) => {
      const folder = await prepare();
      takeAway(folder, places[place]!(folder));
      const found = await openElsewhere(folder);
      expect(found.told.join()).toContain('trying again');
      expect(found.told.join()).toContain('was renamed');
      if (found.messages < windows) expect(found.damaged).toBeGreaterThan(0);
      if ((found.floor ?? 0) < windows * 10) expect(found.continuity).toBe('lost');
    },
  );

  it.runIf(isRoot)(
    'a segment of the value log of somebody else: its messages wait, the rest works, and status says so',
    async () => {
      const folder = await prepare();
      const path = places['a segment of the value log']!(folder);
      takeAway(folder, path);
      expect(await openElsewhere(folder)).toMatchObject({ messages: 0, damaged: 0, state: 'failing' });
      execFileSync('chown', [`${nobody}:${nobody}`, path]);
      expect(await openElsewhere(folder)).toMatchObject({ messages: windows + 1, damaged: 0, state: 'ok' });
    },
  );

  it.runIf(isRoot)('the mark of somebody else: another one is begun', async () => {
    const folder = await prepare();
    takeAway(folder, places['high-water.json']!(folder));
    expect(await openElsewhere(folder)).toMatchObject({ messages: windows, continuity: 'lost' });
    expect(await openElsewhere(folder)).toMatchObject({ messages: windows + 1, continuity: 'proven' });
  });
});

/** The folder is nobody's, the file in it is root's. */
function takeAway(folder: string, path: string): void {
  giveAway(folder);
  execFileSync('chown', ['0:0', path]);
  chmodSync(path, 0o600);
}
