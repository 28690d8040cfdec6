// The adapter that docs/ADAPTERS.md shows whole is built, type-checked, and held against the contract of a source.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { rawFileRead } from '../../test/support/source-tree.ts';
import type { Adapter } from './adapter.ts';
import { createInputs } from './inputs.ts';
import { type SourceHarness, sourceContract } from './testing/source-contract.ts';

const root = join(import.meta.dirname, '..', '..');
const docs = readFileSync(join(root, 'docs', 'ADAPTERS.md'), 'utf8').split('## An adapter inside')[1]!;
const [site, code, registration] = [...docs.matchAll(/```(?:yaml|ts)\n(.*?)```/gs)].map((match) => match[1]!);
const folder = mkdtempSync(join(tmpdir(), 'documented-adapter-'));
const pollMs = 100;
let adapter: Adapter;

beforeAll(async () => {
  // As if it stood in its folder: the imports lead to the project's files.
  const text = code!.replaceAll("from '../../../", `from '${root}/`);
  const file = join(folder, 'adapter.ts');
  writeFileSync(file, text.replaceAll("from '../", `from '${join(root, 'runtime', 'sources')}/`));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const settings = { extends: join(root, 'tsconfig.json'), include: [], files: [file] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  ({ kernelFilesAdapter: adapter } = await import(file));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('has the types that the port asks for', () => {
  execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['--noEmit', '-p', folder], { stdio: 'inherit' });
});

it('reads files as the architecture asks', () => {
  expect(code).not.toMatch(rawFileRead);
});

it('reads the settings that are shown with it, and says what it asks', () => {
  const [settings] = parse(site!);
  const read = adapter.schemas[0]!.parse(settings);
  expect(adapter.load(read, new VirtualClock())).toMatchObject({ requestsPerSecond: 1 });
  const twice = adapter.schemas[0]!.safeParse({ ...settings, tags: [...settings.tags, ...settings.tags] });
  expect(twice.error?.issues[0]?.message).toMatch(/is taken by tags\[0\]/);
});

it('is registered by one line, as adapters are', () => {
  const line = readFileSync(join(root, 'runtime', 'adapters.ts'), 'utf8').match(
    /const adapters = \[(.*?)\]/,
  )![1];
  expect(registration).toContain(`const adapters = [${line}, kernelFilesAdapter] as const;`);
});

sourceContract('the documented adapter', makeHarness, { hasHistory: false });

async function makeHarness(): Promise<SourceHarness> {
  const clock = new VirtualClock();
  const own = mkdtempSync(join(folder, 'kernel-'));
  const file = join(own, 'temp');
  const parts = { clock, random: seededRandom(1), metrics: noMetrics, folder: own };
  const inputs = createInputs({ clock, log: silentLog, metrics: noMetrics });
  const tags = [{ name: 'temperature', file, scale: 0.001 }];
  const settings = adapter.schemas[0]!.parse({ name: 'gateway', type: 'kernel-files', pollMs, tags });
  let sample = 40_000;
  const put = () => writeFileSync(file, `${sample++}\n`);
  put();
  const advance = async (ms: number) => {
    await clock.advance(ms);
    // Files are read for real: what was asked for before is there once as many reads of ours are.
    for (let turn = 0; turn < 8; turn++) {
      await readFile(import.meta.filename);
      await clock.advance(0);
    }
    // And on a busy machine, once nothing is being read.
    while (process.getActiveResourcesInfo().includes('FSReqPromise')) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(0);
    }
  };
  return {
    source: adapter.create({ ...parts, inputs })(settings, { stampClock: clock, log: silentLog }),
    lossLimitMs: 3 * pollMs,
    async produce(samples) {
      for (let n = 0; n < samples; n++) {
        put();
        await advance(pollMs);
      }
    },
    advance,
    cut: () => rmSync(file, { recursive: true, force: true }),
    heal() {
      rmSync(file, { recursive: true, force: true });
      put();
    },
    mischief: [
      { name: 'no number', begin: () => writeFileSync(file, 'hot\n') },
      { name: 'nothing at all', begin: () => writeFileSync(file, '') },
      {
        name: 'a folder',
        begin() {
          rmSync(file);
          mkdirSync(file);
        },
      },
    ],
    async dispose() {
      rmSync(own, { recursive: true });
    },
  };
}
