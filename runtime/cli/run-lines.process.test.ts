// `holdfast run` without a hub, and starts that must fail, as real processes.

import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Plant, startPlant } from '../../lab/plant/plant.ts';
import { plantSources } from '../../lab/plant/site.ts';
import { eventually } from '../../test/support/module-process.ts';
import { root } from '../../test/support/source-tree.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-lines-'));
const site = join(folder, 'site.yaml');
let plant: Plant;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  plant = await startPlant({ seed: 1, scanMs: 200, historyS: 10 });
  const { HOLDFAST_CONNECTION_STRING: _, IOTEDGE_WORKLOADURI: __, ...rest } = process.env;
  env = rest;
  const sources = plantSources(plant.info, { pollMs: 100 }).slice(0, 1);
  writeFileSync(
    site,
    JSON.stringify({ dataFolder: join(folder, 'data'), windows: { ageMs: '300ms' }, sources }),
  );
});
afterAll(async () => {
  await plant?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const holdfast = (...args: string[]) =>
  run(process.execPath, ['runtime/main.ts', ...args], { cwd: root, env });

describe('without a hub', () => {
  it('run adds windows to a file as lines, which touch over a restart amid a torn line', async () => {
    const file = join(folder, 'lines.jsonl');
    const live = async (count: number) => {
      const child = spawn(process.execPath, ['runtime/main.ts', 'run', '--config', site, '--to', file], {
        cwd: root,
        env,
      });
      const ended = new Promise((resolve) => child.once('close', resolve));
      await eventually(() => readFileSync(file, 'utf8').split('\n').length > count);
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
    };
    await live(4);
    writeFileSync(file, '{"torn":', { flag: 'a' });
    const before = readFileSync(file, 'utf8').split('\n').length;
    await live(before + 3);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const whole = lines.filter((line) => line !== '{"torn":').map((line) => JSON.parse(line));
    expect(whole.length).toBe(lines.length - 1);
    expect(whole.flatMap(({ readings }) => readings ?? []).length).toBeGreaterThan(10);
    expect(whole[0].startWindow).toMatch(/^\d{4}-.*Z$/);
  });

  it('run ends in good order once nobody reads its standard output any more', async () => {
    const { stdout } = await run(
      'bash',
      ['-c', `"${process.execPath}" runtime/main.ts run --config ${site} --stdout | head -1`],
      { cwd: root, env, timeout: 60_000 },
    );
    expect(JSON.parse(stdout)).toMatchObject({ batchId: expect.any(String), readings: expect.any(Array) });
  });
});

describe('a start that cannot be', () => {
  it('ends with 2 and makes nothing: a file that is not there, no file without a hub, both ways out', async () => {
    const HOLDFAST_DATA_FOLDER = join(folder, 'other');
    env = {
      ...env,
      HOLDFAST_DATA_FOLDER,
      HOLDFAST_CONNECTION_STRING: 'HostName=h.invalid;DeviceId=d;SharedAccessKey=c2VjcmV0',
    };
    const none = join(folder, 'nofile.yaml');
    await expect(holdfast('run', '--config', none)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/nofile\.yaml: 1 problem\n.*there is no such file/),
    });
    env.HOLDFAST_LOG_FORMAT = 'iotedge';
    await expect(holdfast('run', '--config', none)).rejects.toMatchObject({
      stderr: expect.stringMatching(/^<3> .* \[ERR\] - cannot start code=config-invalid .*no such file.*\n$/),
    });
    delete env.HOLDFAST_LOG_FORMAT;
    // Empty ones count as not set; a level that there is not would be taken for none, and outdo that of the configuration.
    env = { ...env, HOLDFAST_CONFIG_FROM: '', HOLDFAST_LOG_LEVEL: ' ', HOLDFAST_STATUS_TOKEN: '' };
    await expect(holdfast('run', '--config', none)).rejects.toMatchObject({
      stderr: expect.stringMatching(/nofile\.yaml: 1 problem\n.*there is no such file/),
    });
    env.HOLDFAST_LOG_LEVEL = 'DEBUG';
    await expect(holdfast('run', '--config', none)).rejects.toMatchObject({
      code: 2,
      stderr: 'HOLDFAST_LOG_LEVEL must be one of debug, info, warn, error\n',
    });
    delete env.HOLDFAST_LOG_LEVEL;
    await expect(holdfast('run', '--stdout')).rejects.toMatchObject({ code: 2 });
    await expect(holdfast('run', '--config', site, '--stdout', '--to', none)).rejects.toMatchObject({
      code: 2,
    });
    expect(() => mkdirSync(HOLDFAST_DATA_FOLDER)).not.toThrow();
  });
});
