// What a kill -9 left, damaged by the dice: one to three damages of any kind, anywhere. Nothing may be claimed that is not
// so, and what is lost must be told. HOLDFAST_SEED begins elsewhere, HOLDFAST_DAMAGES sets how many.
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { openSpool } from '../spool.ts';
import { claimsOf } from '../testing/claims.ts';
import { checkClaims } from '../testing/damage-oracle.ts';
import { change, closed, window } from '../testing/open-test-spool.ts';

const count = Number(process.env.HOLDFAST_DAMAGES ?? 60);
const first = Number(process.env.HOLDFAST_SEED ?? 1);
const root = mkdtempSync(join(tmpdir(), 'holdfast-random-damage-'));
const killed = join(root, 'killed');

beforeAll(() => {
  const child = join(import.meta.dirname, '..', 'testing', 'damage-child.ts');
  const { signal, stderr } = spawnSync(process.execPath, [child, killed]);
  expect(signal, String(stderr)).toBe('SIGKILL');
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const open = (folder: string) =>
  openSpool({
    folder,
    clock: new VirtualClock(),
    log: silentLog,
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });

type Damage = (path: string, random: Random) => void;

const change_ = (path: string, random: Random, work: (bytes: Buffer, at: number) => void) => {
  const bytes = readFileSync(path);
  if (bytes.byteLength > 0) work(bytes, randomInt(random, bytes.byteLength));
  writeFileSync(path, bytes);
};
const damages: Readonly<Record<string, Damage>> = {
  'bit flipped': (path, random) =>
    change_(path, random, (bytes, at) => {
      bytes[at] = bytes[at]! ^ (1 << randomInt(random, 8));
    }),
  'sector of zeros': (path, random) =>
    change_(path, random, (bytes, at) => bytes.subarray(at - (at % 512), at - (at % 512) + 512).fill(0)),
  'zeros to the end': (path, random) => change_(path, random, (bytes, at) => bytes.fill(0, at)),
  noise: (path, random) =>
    change_(path, random, (bytes, at) =>
      bytes.subarray(at, at + randomInt(random, 5000)).fill(randomInt(random, 256)),
    ),
  cut: (path, random) => truncateSync(path, randomInt(random, statSync(path).size + 1)),
  'bytes appended': (path, random) =>
    appendFileSync(path, Buffer.alloc(1 + randomInt(random, 9000), randomInt(random, 256))),
  removed: (path) => rmSync(path),
  'a folder': (path) => {
    rmSync(path);
    mkdirSync(path);
  },
  'a link that leads nowhere': (path) => {
    rmSync(path);
    symlinkSync('nowhere', path);
  },
};

describe(`${count} folders, damaged from seed ${first} on`, () => {
  it('claim nothing falsely, and tell what they lost', {
    timeout: 30_000 + count * 5000,
    retry: 0,
  }, async () => {
    let lossy = 0;
    for (let seed = first; seed < first + count; seed++) {
      const random = seededRandom(seed);
      const folder = join(root, `seed-${seed}`);
      cpSync(killed, folder, { recursive: true, filter: (path) => !/\/(ballast|reserve)$/.test(path) });
      const done: string[] = [];
      for (let more = 1 + randomInt(random, 3); more > 0; more--) {
        const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
          statSync(join(folder, name), { throwIfNoEntry: false })?.isFile(),
        );
        const file = files.sort()[randomInt(random, files.length)]!;
        const [name, damage] = Object.entries(damages)[randomInt(random, Object.keys(damages).length)]!;
        damage(join(folder, file), random);
        done.push(`${file}: ${name}`);
      }
      const story = `seed ${seed}, ${done.join(', ')}`;
      const spool = await open(folder);
      if (checkClaims(await claimsOf(spool), story)) lossy++;
      await spool.commitWindows([change('a', [closed('a', window(9000, 9010))])]);
      await spool.close();
      const next = await open(folder);
      expect(next.openStream('a', 'sequence'), story).toEqual({ floor: 9010, continuity: 'proven' });
      await next.close();
      rmSync(folder, { recursive: true, force: true });
    }
    // Else it shows nothing.
    if (count >= 60) expect(lossy).toBeGreaterThan(count / 20);
  });
});
