// `holdfast probe` as its user starts it, on a plant that answers, on nothing, and on bad input.
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Plant, startPlant } from '../../lab/plant/plant.ts';
import { plantSources } from '../../lab/plant/site.ts';
import { root } from '../../test/support/source-tree.ts';
import { makeFolder } from '../spool/testing/folders.ts';

let plant: Plant;
/** Accepts, and never answers. */
let mute: Server;
let folder: string;
let site: string;

beforeAll(async () => {
  folder = makeFolder();
  plant = await startPlant({ prefillS: 1 });
  mute = createServer(() => {});
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const { port } = mute.address() as { port: number };
  const tags = [{ name: 'a', address: 0, type: 'int16' }];
  const silent = { type: 'modbus-tcp', name: 'mute', host: '127.0.0.1', port, timeoutMs: 60_000, tags };
  site = join(folder, 'site.yaml');
  writeFileSync(site, JSON.stringify({ dataFolder: folder, sources: [...plantSources(plant.info), silent] }));
});
afterAll(async () => {
  mute.close();
  await plant.stop();
  rmSync(folder, { recursive: true, force: true });
});

function probe(args: readonly string[], onOutput?: (text: string, stop: () => void) => void) {
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    const child = spawn(process.execPath, ['runtime/main.ts', 'probe', ...args], { cwd: root });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      onOutput?.(out, () => child.kill('SIGINT'));
    });
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

it('shows what a source has, and exits 0', async () => {
  const { code, out } = await probe([site, 'press']);
  expect(code).toBe(0);
  expect(out).toMatch(/^press \(modbus-tcp\): 12 of 12 good/);
  expect(out).toMatch(/temperature +[\d.]+ +good +[\d.]+ ms +holding 6-7 +[\da-f]{4} [\da-f]{4}\n/);
  expect(out).toMatch(/\(history\) +"records 1 to \d+"/);
});

it('shows all others while one does not answer, and ends promptly on Ctrl-C with what it has', async () => {
  const startedAt = Date.now();
  const { code, out } = await probe([site, '--json'], (text, stop) => {
    if (text.trim().split('\n').length === 3) stop();
  });
  expect(Date.now() - startedAt).toBeLessThan(30_000);
  const sources = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { source: string; failure?: unknown });
  expect(sources.map(({ source }) => source).sort()).toEqual(['boiler', 'meter', 'mute', 'press']);
  expect(sources.find(({ source }) => source === 'mute')?.failure).toBeDefined();
  expect(code).toBe(130);
});

it('exits 1 where equipment does not answer, and 2 with what to change where the input is bad', async () => {
  const [silent, unknown, unreadable] = await Promise.all([
    probe([site, 'mute', '--timeout', '1']),
    probe([site, 'no-such']),
    probe([join(folder, 'missing.yaml')]),
  ]);
  expect(silent.code).toBe(1);
  expect(silent.out).toMatch(/probe-timeout: not done within 1 s/);
  expect(unknown.code).toBe(2);
  expect(unknown.err).toMatch(/has no source 'no-such'; it has: press, boiler, meter, mute/);
  expect(unreadable.code).toBe(2);
});
