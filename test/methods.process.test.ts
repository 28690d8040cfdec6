// docs/METHODS.md, run: each call that it shows, on the real module through the hub, gives an answer of the shape shown.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Hub, startHub } from '../lab/hub/hub.ts';
import { type Plant, startPlant } from '../lab/plant/plant.ts';
import { setpoints } from '../lab/plant/register-map.ts';
import { methodNames } from '../wire/methods.ts';
import { commandsOf } from './support/document-commands.ts';
import { eventually, type ModuleProcess, startModule } from './support/module-process.ts';
import { root } from './support/source-tree.ts';

const page = readFileSync(join(root, 'docs/METHODS.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'holdfast-methods-'));
const calls = commandsOf('docs/METHODS.md', page).filter(({ words }) => words[0] === 'az');
const answers = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => JSON.parse(text!));
let hub: Hub;
let plant: Plant;
let module: ModuleProcess;

beforeAll(async () => {
  [hub, plant] = await Promise.all([startHub(), startPlant({ seed: 1, scanMs: 200, historyS: 10 })]);
  const config = join(folder, 'site.yaml');
  const { host, port } = plant.info;
  const tags = [
    { name: 'level', address: setpoints.from + 1, type: 'int16' },
    { name: 'setpoint', address: setpoints.from, type: 'int16', writable: true },
  ];
  const sources = [{ name: 'press', type: 'modbus-tcp', host, port, unit: 1, pollMs: 100, tags }];
  const dataFolder = join(folder, 'data');
  writeFileSync(
    config,
    JSON.stringify({ dataFolder, statusPort: 0, faultInjection: true, remoteWrites: true, sources }),
  );
  const connection = hub.deviceConnectionString('DEVICE', 'holdfast');
  module = await startModule({
    config,
    env: { NODE_EXTRA_CA_CERTS: hub.caFile, HOLDFAST_CONNECTION_STRING: connection },
  });
  await eventually(async () => {
    const { uplink, sources: read } = await module.status();
    return uplink.connected && read[0].readings > 0;
  });
});
afterAll(async () => {
  await module?.end('SIGTERM');
  await Promise.all([hub?.stop(), plant?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const option = (words: readonly string[], name: string) => words[words.indexOf(name) + 1];

/** What is shown is there, of the same kind; more may be. */
function hasShape(answer: unknown, shown: unknown): boolean {
  if (Array.isArray(shown)) return Array.isArray(answer);
  if (typeof shown !== 'object' || shown === null) return typeof answer === typeof shown;
  return Object.entries(shown).every(([name, each]) =>
    hasShape((answer as Record<string, unknown>)?.[name], each),
  );
}

describe('docs/METHODS.md', () => {
  it('shows each method, with an answer behind each call', () => {
    expect(answers).toHaveLength(calls.length);
    const called = calls.map(({ words }) => option(words, '--method-name'));
    for (const [ours] of Object.values(methodNames)) expect(called).toContain(ours);
    for (const name of Object.values(methodNames).flat()) expect(page).toContain(`\`${name}\``);
  });

  it('shows a call in the lab, which the module answers as well', async () => {
    const [call] = commandsOf('docs/METHODS.md', page).filter(({ words }) => words[0] === 'curl');
    const { name, payload, deviceId, moduleId } = JSON.parse(option(call!.words, '-d')!);
    const times = { responseTimeoutMs: 30_000, connectTimeoutMs: 0 };
    const result = await hub.invoke({ deviceId, moduleId, name, payload, ...times });
    expect(result).toMatchObject({ kind: 'answered', status: expect.toBeOneOf([200, 202]) });
  });

  it.each(
    calls.map(
      (call, at) => [`${call.place}: ${option(call.words, '--method-name')}`, call, answers[at]] as const,
    ),
  )('%s is answered as shown', async (_, { words }, shown) => {
    expect(words.slice(0, 4)).toEqual(['az', 'iot', 'hub', 'invoke-module-method']);
    const given = words.includes('--method-payload') ? option(words, '--method-payload')! : 'null';
    const result = await hub.invoke({
      deviceId: option(words, '--device-id')!,
      moduleId: option(words, '--module-id')!,
      name: option(words, '--method-name')!,
      payload: JSON.parse(given),
      responseTimeoutMs: 20_000,
      connectTimeoutMs: 20_000,
    });
    expect(result).toMatchObject({ kind: 'answered', status: shown.status });
    expect(hasShape(result, { payload: shown.payload }), JSON.stringify(result)).toBe(true);
  });
});

describe('the method write, through the hub', () => {
  const write = async (payload: object) => {
    const call = { deviceId: 'DEVICE', moduleId: 'holdfast', name: 'write', payload };
    const result = await hub.invoke({ ...call, responseTimeoutMs: 20_000, connectTimeoutMs: 20_000 });
    if (result.kind !== 'answered') throw new Error(result.kind);
    return [result.status, (result.payload as { state?: string }).state] as const;
  };
  const to = (value: number, more: object = {}) =>
    write({ source: 'press', tag: 'setpoint', value, ...more });

  it('writes into the equipment, and where it is to hold another value beforehand it does not', async () => {
    expect(await to(41)).toEqual([200, 'written']);
    expect(await to(42, { expected: 41 })).toEqual([200, 'written']);
    expect((await to(43, { expected: 41 }))[0]).toBe(409);
    expect(await to(44, { expected: 42 })).toEqual([200, 'written']);
  });

  it('refuses what may not be written, is not there, does not fit, or is too late', async () => {
    expect((await write({ source: 'press', tag: 'level', value: 1 }))[0]).toBe(403);
    expect((await write({ source: 'press', tag: 'nothing', value: 1 }))[0]).toBe(404);
    expect((await write({ source: 'nobody', tag: 'setpoint', value: 1 }))[0]).toBe(404);
    expect((await to(70_000))[0]).toBe(400);
    expect((await write({ source: 'press' }))[0]).toBe(400);
    const deadline = new Date(Date.now() - 1000).toISOString();
    expect(await to(45, { deadline })).toEqual([504, 'expired']);
    expect(await to(46, { expected: 44 })).toEqual([200, 'written']);
  });
});
