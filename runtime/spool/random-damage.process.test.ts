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
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { decodeBody } from '../../wire/body.ts';
import { openSpool, type Spool } from './spool.ts';
import { change, closed, readingsIn, takeAll, window } from './testing/open-test-spool.ts';

const count = Number(process.env.HOLDFAST_DAMAGES ?? 60);
const first = Number(process.env.HOLDFAST_SEED ?? 1);
const root = mkdtempSync(join(tmpdir(), 'holdfast-random-damage-'));
const killed = join(root, 'killed');
const promised = { windows: 90, open: 100 };

beforeAll(() => {
  const child = join(import.meta.dirname, 'testing', 'damage-child.ts');
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

/** What each window says is so. Which of the promised ones are there? */
async function heldIn(spool: Spool, seed: string): Promise<{ windows: number; openTo: number }> {
  const ids = new Set<string>();
  let openTo = 0;
  for (const { message } of await takeAll(spool, 'backlog')) {
    const { batchId, startWindow, endWindow, schema, isLate } = message.properties;
    const encoding = message.contentEncoding;
    const readings = decodeBody(message.body, {
      schema: schema ?? '',
      contentEncoding: encoding,
      index: 'sequence',
    });
    if (isLate !== undefined) {
      for (const { index, value } of readings) expect(value, seed).toBe(index * 2);
      continue;
    }
    const range = window(Number(startWindow), Number(endWindow));
    expect(readings, `${seed}: ${message.messageId}`).toEqual(readingsIn(range));
    if (batchId === 'a') ids.add(message.messageId);
    else openTo = Math.max(openTo, range.end);
  }
  return { windows: ids.size, openTo };
}

describe(`${count} folders, damaged from seed ${first} on`, () => {
  it('claim nothing falsely, and tell what they lost', {
    timeout: 30_000 + count * 5000,
    retry: 0,
  }, async () => {
    let lossy = 0;
    for (let seed = first; seed < first + count; seed++) {
      const random = seededRandom(seed);
      const folder = join(root, `seed-${seed}`);
      cpSync(killed, folder, { recursive: true, filter: (path) => !path.endsWith('/ballast') });
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
      const starts = { a: spool.openStream('a', 'sequence'), open: spool.openStream('open', 'sequence') };
      const held = await heldIn(spool, story);
      const isLost = held.windows < promised.windows || held.openTo < promised.open;
      const isTold = () => spool.stats().damaged > 0 || spool.stats().repair !== undefined;
      for (let turns = 0; isLost && !isTold() && turns < 2000; turns++)
        await new Promise((resolve) => setImmediate(resolve));
      if (isLost) {
        lossy++;
        expect(isTold(), `${story}: ${JSON.stringify(held)}`).toBe(true);
      }
      if ((starts.a.floor ?? 0) < promised.windows * 10) expect(starts.a.continuity, story).toBe('lost');
      if ((starts.open.floor ?? 0) < promised.open) expect(starts.open.continuity, story).toBe('lost');
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
