// Encryption in real processes: keys that change under kill -9, IoT Edge's workload API, the command line, the module.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom, systemRandom } from '../../../kernel/random.ts';
import { startHub } from '../../../lab/hub/hub.ts';
import { eventually } from '../../../test/support/module-process.ts';
import { root as sources } from '../../../test/support/source-tree.ts';
import { createWorkloadWrapper } from '../../uplink/workload-wrapper.ts';
import type { RecordCodec } from '../format/record.ts';
import { openSpool } from '../spool.ts';
import { change, closed, takeAll, window } from '../testing/open-test-spool.ts';
import { keyBytes, sealedWith } from '../testing/sealed.ts';
import { encryptionSchema } from './config.ts';
import { openSpoolKeys } from './open-keys.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-encryption-'));
let made = 0;
const newFolder = () => join(root, `${made++}`);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const open = (folder: string, codec: RecordCodec) =>
  openSpool({ folder, codec, clock: systemClock, log: silentLog, metrics: noMetrics });

async function fill(folder: string, codec: RecordCodec, from: number): Promise<void> {
  const spool = await open(folder, codec);
  for (let at = from; at < from + 50; at += 10)
    await spool.commitWindows([change('press', [closed('press', window(at, at + 10))])]);
  await spool.putSetting('n', from);
  await spool.close();
}

describe('kill -9 while keys change', () => {
  const kills = Number(process.env.HOLDFAST_KILLS ?? 12);
  const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
  const child = join(import.meta.dirname, '..', 'testing', 'switch-child.ts');

  it(`loses nothing that was durable (HOLDFAST_SEED=${seed})`, {
    retry: 0,
    timeout: 60_000 + kills * 4000,
  }, async () => {
    const random = seededRandom(seed);
    const [folder, log] = [newFolder(), join(root, 'durable.log')];
    writeFileSync(log, '');
    const used: string[] = [];
    for (let n = 0; n < kills; n++) {
      const key = n % 4 === 3 ? '-' : `k${n >> 1}`;
      const args = [child, folder, log, String(n * 100_000), key, ...used.filter((name) => name !== key)];
      const life = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = new Promise((resolve) => life.on('exit', resolve));
      await new Promise((resolve) => life.stdout.once('data', resolve));
      // Most die amid the change of keys, some after they have stored something, however slow the machine is.
      const before = statSync(log).size;
      if (n % 3 === 0) await eventually(() => statSync(log).size > before);
      await wait(random.next() * (n % 3 === 0 ? 300 : 80));
      life.kill('SIGKILL');
      await ended;
      if (key !== '-' && !used.includes(key)) used.push(key);
    }
    const durable = readFileSync(log, 'utf8').trim().split('\n').map(Number);
    expect(durable.length).toBeGreaterThan(kills / 4);
    const spool = await open(folder, sealedWith('last', ...used));
    expect(spool.stats()).toMatchObject({ damaged: 0 });
    expect(spool.stats().repair).toBeUndefined();
    const sent = new Set(
      (await takeAll(spool, 'backlog')).map(({ message }) => message.properties.startWindow),
    );
    for (const at of durable) expect(sent, `window ${at}`).toContain(String(at));
    for (let n = 0; n < 7; n++) expect(await spool.getSetting(`n${n}`)).toHaveProperty('at');
    await spool.close();
  });
});

describe("a key wrapped by IoT Edge's workload API", () => {
  it('comes back at every start of the same module, and of no other', async () => {
    const hub = await startHub();
    const folder = newFolder();
    const settings = encryptionSchema.parse({ key: { workload: true }, waitMs: 2000 });
    const keysFor = (environment: Record<string, string>, limitMs = 2000) =>
      openSpoolKeys(settings, {
        environment,
        folder: join(folder, 'keys'),
        wrapper: createWorkloadWrapper({ environment, clock: systemClock, limitMs }),
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
      });
    try {
      const ours = hub.edgeEnvironment('gateway', 'holdfast');
      const first = await keysFor(ours);
      await fill(folder, first.codec, 0);
      const second = await keysFor(ours);
      expect(second.codec.keyId).toBe(first.codec.keyId);
      await fill(folder, second.codec, 1000);

      // Silent for a while: waited for.
      await hub.setFaults({ silent: ['workload'] });
      const waiting = keysFor(ours, 300);
      await wait(500);
      await hub.clearFaults();
      expect((await waiting).codec.keyId).toBe(first.codec.keyId);

      const other = await keysFor(hub.edgeEnvironment('gateway', 'another'));
      expect(other.problem).toBeUndefined();
      expect(other.codec.keyId).not.toBe(first.codec.keyId);
      await fill(folder, other.codec, 2000);
      expect(readdirSync(join(folder, 'quarantine'))).toEqual([expect.stringMatching(/-sealed$/)]);
      expect(readdirSync(join(folder, 'keys'))).toHaveLength(4);

      const gone = await keysFor({ ...ours, IOTEDGE_WORKLOADURI: `unix://${root}/none.sock` }, 100);
      expect(gone.problem).toContain("IoT Edge's workload API");
      expect(gone.codec.keyId).toBeUndefined();
    } finally {
      await hub.stop();
    }
  });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function holdfast(...args: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['runtime/main.ts', ...args], { cwd: sources });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

function keyFile(name: string): string {
  const path = join(root, `${made++}.key`);
  writeFileSync(path, keyBytes(name).toString('hex'), { mode: 0o400 });
  return path;
}

function configFile(encryption: object | undefined, more: object = {}): string {
  const path = join(root, `${made++}.yaml`);
  writeFileSync(path, stringify({ sources: [], ...more, ...(encryption && { spool: { encryption } }) }));
  return path;
}

describe('holdfast spool on an encrypted spool', () => {
  it('takes the key as the module does, or as a file, and says which one it lacks', async () => {
    const data = newFolder();
    await fill(join(data, 'spool'), sealedWith('a'), 0);
    const file = keyFile('a');
    const config = configFile({ key: { file } });
    for (const options of [
      ['--config', config],
      ['--key-file', file],
    ]) {
      expect(await holdfast('spool', 'verify', data, ...options)).toMatchObject({ code: 0, err: '' });
      const exported = await holdfast('spool', 'export', data, ...options);
      expect(exported.code).toBe(0);
      expect(exported.out.trim().split('\n')).toHaveLength(50);
    }
    const without = await holdfast('spool', 'export', data);
    expect(without.code).toBe(1);
    expect(without.out).toBe('');
    expect(without.err).toContain(`encrypted with key ${sealedWith('a').keyId}, which was not given`);
    const wrong = await holdfast('spool', 'verify', data, '--key-file', keyFile('b'));
    expect(wrong.code).toBe(1);
    for (const { out, err } of [without, wrong]) {
      expect(out + err).not.toContain(keyBytes('a').toString('hex').slice(0, 12));
      expect(out + err).not.toContain(keyBytes('b').toString('hex').slice(0, 12));
    }
  });

  it('salvage brings a store back that was quarantined for want of its key', async () => {
    const [data, target] = [newFolder(), newFolder()];
    const folder = join(data, 'spool');
    await fill(folder, sealedWith('a'), 0);
    await fill(folder, sealedWith('b'), 1000);
    const [quarantine] = readdirSync(join(folder, 'quarantine')).map((name) =>
      join(folder, 'quarantine', name),
    );
    const config = configFile({ key: { file: keyFile('b') }, previousKeys: [{ file: keyFile('a') }] });
    const salvaged = await holdfast('spool', 'salvage', quarantine!, target, '--config', config);
    expect(salvaged).toMatchObject({ code: 0, err: '' });
    // As the module of that configuration would find it: its key alone opens all.
    const spool = await open(join(target, 'spool'), sealedWith('b'));
    expect(spool.stats().repair).toBeUndefined();
    expect(await takeAll(spool, 'backlog')).toHaveLength(5);
    expect(await spool.getSetting('n')).toBe(0);
    await spool.close();
  });
});

describe('the module with encryption', () => {
  const modules: ChildProcess[] = [];
  afterAll(() => void modules.map((module) => module.kill('SIGKILL')));

  async function start(config: string, data: string) {
    const child = spawn(process.execPath, ['runtime/main.ts', 'run', '--config', config, '--ready-line'], {
      cwd: sources,
      env: {
        ...process.env,
        HOLDFAST_DATA_FOLDER: data,
        HOLDFAST_CONNECTION_STRING: 'HostName=127.0.0.1;DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0',
      },
    });
    modules.push(child);
    let said = '';
    child.stderr.on('data', (chunk) => (said += chunk));
    const ready = await new Promise<{ statusPort: number }>((resolve, reject) => {
      child.stdout.on('data', (chunk) => {
        said += chunk;
        const line = said.split('\n').find((text) => text.startsWith('{"ready"'));
        if (line) resolve(JSON.parse(line));
      });
      child.on('exit', (code) => reject(new Error(`ended with ${code}: ${said}`)));
    });
    const get = (path: string) =>
      fetch(`http://127.0.0.1:${ready.statusPort}/${path}`).then((answer) => answer.json());
    return {
      get,
      said: () => said,
      async stop() {
        child.removeAllListeners('exit');
        const ended = new Promise((resolve) => child.on('exit', resolve));
        child.kill('SIGTERM');
        await ended;
      },
    };
  }

  it('seals, says so, and with its key lost starts all the same, says so, and takes it back later', async () => {
    const data = newFolder();
    const file = keyFile('a');
    const config = configFile({ key: { file }, waitMs: 0 }, { statusPort: 0, logLevel: 'debug' });
    const first = await start(config, data);
    const { spool } = (await first.get('status')) as { spool: object };
    expect(spool).toMatchObject({
      encryption: { keyId: sealedWith('a').keyId, former: [], quarantinedStores: [] },
    });
    await first.stop();

    rmSync(file);
    const second = await start(config, data);
    const status = JSON.stringify(await second.get('status'));
    expect(status).toContain('UNENCRYPTED');
    expect(status).toMatch(/quarantinedStores":\["[^"]+-sealed"\]/);
    expect(JSON.stringify(await second.get('readyz'))).toContain('the spool lacks a key');
    await second.stop();

    writeFileSync(file, keyBytes('a').toString('base64'), { mode: 0o400 });
    const third = await start(config, data);
    const after = (await third.get('status')) as { spool: object };
    expect(after.spool).toMatchObject({ encryption: { keyId: sealedWith('a').keyId } });
    await third.stop();
    for (const said of [first, second, third].map((module) => module.said()).concat(status)) {
      for (const form of ['hex', 'base64'] as const) expect(said).not.toContain(keyBytes('a').toString(form));
    }
  });
});
