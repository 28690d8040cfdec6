// The paths in a spool's folder that a start looks at, and a folder in which all of them are in use.
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { openSpool, type Spool } from '../spool.ts';
import { change, closed, window } from './open-test-spool.ts';

/** Windows of stream `a` in a folder of `usedSpool`, of ten record numbers each. */
export const usedWindows = 40;

/** Opens a spool on a clock that stands still. */
export const openPlain = (folder: string): Promise<Spool> =>
  openSpool({
    folder,
    clock: new VirtualClock(),
    log: silentLog,
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });

/** Makes folders of a spool that is known to be what was left, after several starts. */
export class UsedSpools {
  readonly root: string;
  #template: Promise<string> | undefined;
  #copies = 0;

  constructor(root: string) {
    this.root = root;
  }

  async make(): Promise<string> {
    this.#template ??= this.#makeTemplate();
    const folder = join(this.root, `copy-${this.#copies++}`, 'spool');
    cpSync(await this.#template, folder, { recursive: true });
    const spool = await openPlain(folder);
    await commit(spool, 30, usedWindows);
    await spool.close();
    return folder;
  }

  async #makeTemplate(): Promise<string> {
    const template = join(this.root, 'template');
    for (let life = 0; life < 3; life++) {
      const spool = await openPlain(template);
      await commit(spool, life * 10, life * 10 + 10);
      await spool.close();
    }
    return template;
  }
}

async function commit(spool: Spool, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    await spool.commitWindows([change('a', [closed('a', window(n * 10, n * 10 + 10))])]);
  }
}

const found = (folder: string, inside: string, pattern: RegExp) => {
  const [name] = readdirSync(join(folder, inside))
    .filter((each) => pattern.test(each))
    .sort();
  return join(folder, inside, name!);
};

/** Paths by what stands there. */
export const spoolPlaces: Readonly<Record<string, (folder: string) => string>> = {
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
