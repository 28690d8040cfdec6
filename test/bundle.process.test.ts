// Module and detector as their images have them: one and the same from the same sources, whole, and told from its packages by whoever reads a stack trace.
import { execFile } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDetector } from '../cloud-lite/testing/detector-process.ts';
import { openEdgeModule } from '../cloud-lite/testing/edge-module.ts';
import { startHub } from '../lab/hub/hub.ts';
import { startOpcuaPlant } from '../lab/plant/opcua-plant.ts';
import { opcuaSources } from '../lab/plant/opcua-site.ts';
import { startPlant } from '../lab/plant/plant.ts';
import { plantSources } from '../lab/plant/site.ts';
import { isOfClient } from '../runtime/health/stray-errors.ts';
import { version } from '../runtime/version.ts';
import { bundle } from '../scripts/bundle.mjs';
import { root } from './support/source-tree.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'));
const dist = join(folder, 'dist');
const main = join(dist, 'main.cjs');

const textsOf = (built: string) =>
  new Map(
    globSync('**/*.cjs', { cwd: built })
      .sort()
      .map((file) => [file, readFileSync(join(built, file), 'latin1')]),
  );

/** What is not said aloud is not said at all: a warning of Node's would stand in each log. */
async function holdfast(...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [main, ...args], { cwd: root });
  expect(stderr).toBe('');
  return stdout;
}

function siteOf(name: string, sources: readonly object[]): string {
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ dataFolder: join(folder, name), sources }));
  return file;
}

const detectorDist = join(folder, 'detector');

beforeAll(async () => {
  await bundle('runtime', dist);
  await bundle('cloud-lite', detectorDist);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each([
  ['runtime', dist],
  ['cloud-lite', detectorDist],
] as const)('the bundle of %s', (part, built) => {
  it('is the same to the byte when it is built again', async () => {
    const again = join(folder, `${part}-again`);
    await bundle(part, again);
    expect(textsOf(again)).toEqual(textsOf(built));
  });

  it('has no character that would double the memory of a file', () => {
    const beyond = [...textsOf(built)].filter(([, text]) => /[\x80-\xff]/.test(text)).map(([file]) => file);
    expect(beyond).toEqual([]);
  });

  it('is strict where its sources are', () => {
    for (const [file, text] of textsOf(built)) {
      if (!file.startsWith('node_modules/')) expect(text, file).toMatch(/^(?:#!.*\n)?['"]use strict['"];/);
    }
    const rhea =
      /^\/\/ node_modules\/(?:\S+\/)?rhea\/lib\/container\.js\n.*\n\s*\(function\(\) \{\n\s*["']use strict["'];/m;
    expect([...textsOf(built).values()].some((text) => rhea.test(text))).toBe(true);
  });
});

describe('the bundle of the detector', () => {
  it('takes what a module sent, into a database inside of it', async () => {
    const hub = await startHub();
    const module = await openEdgeModule({
      hub,
      deviceId: 'gateway',
      moduleId: 'holdfast',
      index: 'sequence',
    });
    const detector = await startDetector(
      {
        HOLDFAST_EVENTHUB_CONNECTION: hub.eventHubConnectionString,
        HOLDFAST_HUB_CONNECTION: hub.serviceConnectionString,
        HOLDFAST_DATA_FOLDER: join(folder, 'data'),
        NODE_EXTRA_CA_CERTS: hub.caFile,
      },
      [],
      [join(detectorDist, 'main.cjs')],
    );
    try {
      await module.send('press', { start: 0, end: 10 });
      await expect
        .poll(() => detector.streams(), { timeout: 90_000 })
        .toMatchObject([{ deviceId: 'gateway', batchId: 'press', covered: [[0, 10]] }]);
    } finally {
      expect(await detector.stop(), detector.log()).toBe(0);
      await module.close();
      await hub.stop();
    }
  });
});

describe('the bundle of the module', () => {
  it("has the Azure client's code in files that are told from others, and nothing else in them", () => {
    const modules = [...textsOf(dist)].flatMap(([file, text]) =>
      [...text.matchAll(/^\/\/ ((?:node_modules|runtime|kernel|wire)\/\S+)$/gm)].map(([, path]) => ({
        ...{ file, path: path! },
      })),
    );
    expect(modules.length).toBeGreaterThan(500);
    const frame = (file: string) => ({ stack: `Error: it\n    at f (${file}:1:1)` });
    const mistaken = modules.filter(
      ({ file, path }) => isOfClient(frame(`/app/dist/${file}`)) !== isOfClient(frame(`/app/${path}`)),
    );
    expect(mistaken).toEqual([]);
    const isPackage = (path: string) => path.startsWith('node_modules/');
    expect(modules.filter(({ file, path }) => isPackage(file) !== isPackage(path))).toEqual([]);
  });

  it('runs each command, with what is loaded for it alone, without a word on standard error', async () => {
    expect(await holdfast('--version')).toBe(`${version}\n`);
    for (const kind of ['modbus', 'opcua', 'serial'])
      expect(await holdfast('check', `docs/examples/${kind}.yaml`)).not.toBe('');
    await holdfast('rules', 'test', 'docs/examples/rules');
  });

  it('reads a Modbus unit and, encrypted, an OPC UA server', async () => {
    const plant = await startPlant({ prefillS: 1 });
    const server = await startOpcuaPlant({ prefillS: 1, folder: join(folder, 'server') });
    try {
      const line = siteOf('line', plantSources(plant.info));
      expect(await holdfast('probe', line, 'press')).toMatch(/^press \(modbus-tcp\): 12 of 12 good/);
      const security = { mode: 'SignAndEncrypt' };
      const plain = opcuaSources(server.info).map((source) => ({ ...source, timeoutMs: 10_000 }));
      const secure = siteOf(
        'kiln',
        plain.map((source) => ({ ...source, security })),
      );
      const untrusted = await run(process.execPath, [main, 'probe', secure, 'kiln']).catch(
        ({ stdout }) => ({ stdout }) as { stdout: string },
      );
      const [, saved, to] = /saved as (\S+): .* put it at (\S+)$/m.exec(untrusted.stdout) ?? [];
      expect(saved, untrusted.stdout).toBeDefined();
      renameSync(saved!, to!);
      expect(await holdfast('probe', secure, 'kiln')).toMatch(/^kiln \(opcua\): 10 of 10 good/);
    } finally {
      await plant.stop();
      await server.stop();
    }
  });
});
