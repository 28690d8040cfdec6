// The configuration's life with real processes: the module, a hub with a twin, equipment. Nothing is told to the
// module but by the twin, its file and signals.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../kernel/random.ts';
import { accountStamped } from '../lab/demo/account.ts';
import { type CloudTap, startCloudTap } from '../lab/demo/cloud-tap.ts';
import { type Hub, startHub } from '../lab/hub/hub.ts';
import { type Plant, startPlant } from '../lab/plant/plant.ts';
import { plantSources } from '../lab/plant/site.ts';
import { eventually, failStart, type ModuleProcess, startModule } from './support/module-process.ts';

const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const root = mkdtempSync(join(tmpdir(), 'holdfast-config-'));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let plant: Plant;
let hub: Hub;
let tap: CloudTap;
let modules: ModuleProcess[] = [];

beforeAll(async () => {
  plant = await startPlant({ seed, scanMs: 400, historyS: 120 });
  hub = await startHub({ strictMessageIds: true });
  tap = startCloudTap({ connectionString: hub.eventHubConnectionString });
});
afterEach(async () => {
  await hub.clearFaults();
  for (const module of modules.splice(0)) await module.end('SIGKILL');
});
afterAll(async () => {
  await tap?.close();
  await hub?.stop();
  await plant?.stop();
  rmSync(root, { recursive: true, force: true });
});

interface Source {
  readonly phase: string;
  readonly readings: number;
}

let sites = 0;
/** A gateway of its own: folder, file, identity, status port. */
async function makeSite() {
  const name = `gateway-${++sites}`;
  const folder = join(root, name);
  mkdirSync(folder);
  const statusPort = await freePort();
  const file = join(folder, 'site.yaml');
  const env = {
    NODE_EXTRA_CA_CERTS: hub.caFile,
    HOLDFAST_CONNECTION_STRING: hub.deviceConnectionString(name, 'holdfast'),
    HOLDFAST_DATA_FOLDER: join(folder, 'data'),
  };
  const base = {
    windows: { ageMs: 300, quietMs: 1000 },
    spool: { commitIntervalMs: 50 },
    statusPort,
    restarts: { free: 1000 },
  };
  return {
    ...{ name, folder, file, env, base, statusPort },
    write: (config: object, to = file) => {
      // As an editor does it.
      writeFileSync(`${to}.tmp`, JSON.stringify({ ...base, ...config }));
      renameSync(`${to}.tmp`, to);
    },
    async start(options: { config?: string; env?: object; node?: readonly string[] } = {}) {
      const module = await startModule({ ...options, env: { ...env, ...options.env } });
      modules = [...modules, module];
      return module;
    },
    // biome-ignore lint/suspicious/noExplicitAny: the tests know what they look for.
    status: async (): Promise<any> => (await fetch(`http://127.0.0.1:${statusPort}/status`)).json(),
    desire: (patch: object) => hub.setDesired(name, 'holdfast', patch as Record<string, unknown>),
    // biome-ignore lint/suspicious/noExplicitAny: the tests know what they look for.
    reported: (): any => hub.twin(name, 'holdfast').reported,
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** The plant's sources under names of this test's own: each is a stream of its own. */
function sources(prefix: string, change: (source: { name: string; pollMs: number }) => object = () => ({})) {
  return plantSources(plant.info, { pollMs: 100 }).map((source) => ({
    ...source,
    ...change(source),
    name: `${prefix}-${source.name}`,
  }));
}

describe('a module without a file', () => {
  it('is configured by its twin, refuses a bad one whole, and boots without a network', async () => {
    const site = await makeSite();
    const module = await site.start();
    await eventually(() => site.reported().config?.state === 'waiting');

    site.desire({ ...site.base, sources: sources('t') });
    await eventually(() => site.reported().config?.state === 'applied');
    expect(site.reported()).toMatchObject({ config: { origin: 'twin', version: '2', errors: [] } });
    await eventually(async () => (await site.status()).totals.streams === 3);
    await eventually(async () => (await site.status()).sources.every((s: Source) => s.readings > 10));

    site.desire({ logLevel: 'loud', statusPort: -1, sources: [{ name: 'x', type: 'modbus-tpc' }] });
    await eventually(() => site.reported().config?.state === 'refused');
    const { config } = site.reported();
    expect(config).toMatchObject({ version: '3', running: { origin: 'twin', version: '2' } });
    expect(config.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
      'logLevel',
      'sources[0].type',
      'statusPort',
    ]);
    const before = (await site.status()).sources;
    // They go on, each in its first session.
    await eventually(async () => {
      const after = (await site.status()).sources;
      return before.every((source: Source, at: number) => after[at].readings > source.readings);
    });
    for (const { sessions } of (await site.status()).sources) expect(sessions).toBe(1);
    expect(Buffer.byteLength(JSON.stringify(site.reported()))).toBeLessThan(4096);
    expect(JSON.stringify([site.reported(), await site.status(), module.log()])).not.toContain(
      /SharedAccessKey=([^;]+)/.exec(site.env.HOLDFAST_CONNECTION_STRING)![1],
    );

    // No network, no file: as it was.
    await module.end('SIGKILL');
    await hub.setFaults({ refuse: ['device'] });
    await site.start();
    const offline = await eventually(async () => {
      const status = await site.status();
      return status.sources.length === 3 && status.sources.every((s: Source) => s.readings > 5) && status;
    });
    expect(offline.config).toMatchObject({ state: 'last-good', origin: 'twin', version: '2' });
    expect(offline.uplink.connected).toBe(false);
  });

  it('takes a file that the twin names, if it is the one that is meant', async () => {
    const site = await makeSite();
    const named = join(site.folder, 'named.yaml');
    site.write({ sources: sources('n') }, named);
    site.desire({ configFile: named, configHash: '0'.repeat(64) });
    await site.start();
    await eventually(() => site.reported().config?.state === 'refused');
    expect(site.reported().config.errors[0]).toMatchObject({ path: 'configHash' });
    site.desire({ configHash: null });
    await eventually(() => site.reported().config?.state === 'applied');
    expect(site.reported().config).toMatchObject({ origin: 'twin-file' });
    // The file itself is watched too.
    site.write({ sources: sources('n').slice(0, 1) }, named);
    await eventually(async () => (await site.status()).sources.length === 1);
  });
});

describe('a module with a file', () => {
  it('follows the file, restarts only what differs, and keeps what runs when the file is wrong', async () => {
    const site = await makeSite();
    site.write({ sources: sources('f') });
    const module = await site.start({ config: site.file });
    await eventually(async () => (await site.status()).sources.every((s: Source) => s.readings > 10));
    const sinceOf = async () =>
      Object.fromEntries(
        (await site.status()).sources.map((s: { name: string; since: string }) => [s.name, s.since]),
      );
    const before = await sinceOf();

    site.write({ sources: sources('f', ({ name }) => (name === 'meter' ? { pollMs: 70 } : {})) });
    await eventually(async () => (await sinceOf())['f-meter'] !== before['f-meter']);
    await eventually(async () => (await site.status()).sources.every((s: Source) => s.phase === 'connected'));
    const after = await sinceOf();
    expect(after['f-press']).toBe(before['f-press']);
    expect(after['f-boiler']).toBe(before['f-boiler']);
    // Not a reading of the others was missed: their observation was never broken.
    for (const { name, breaks, sessions } of (await site.status()).sources) {
      if (name !== 'f-meter') expect({ name, breaks, sessions }).toEqual({ name, breaks: 0, sessions: 1 });
    }

    writeFileSync(site.file, 'sources: [{name: ');
    await eventually(async () => (await site.status()).config.state === 'refused');
    expect(await sinceOf()).toEqual(after);
    expect((await site.status()).config.errors[0].message).toMatch(/line 1/);

    writeFileSync(site.file, JSON.stringify({ ...site.base, dataFolder: '/elsewhere', sources: [] }));
    module.child.kill('SIGHUP');
    await eventually(async () => (await site.status()).config.errors[0]?.path === 'dataFolder');
    expect(await sinceOf()).toEqual(after);

    site.write({ sources: [] });
    module.child.kill('SIGHUP');
    await eventually(async () => (await site.status()).sources.length === 0);
    expect(await module.end('SIGTERM')).toBe(0);
  });

  it('starts with the last good one when the file was cut off; without one it says what is wrong', async () => {
    const site = await makeSite();
    writeFileSync(site.file, 'sources: 5\noops: 1');
    const failed = await failStart({ config: site.file, env: site.env });
    expect(failed.code).toBe(2);
    expect(failed.output).toMatch(
      /site\.yaml: 2 problems\n {2}- line 1, column 1: sources: .*\n {2}- line 2, column 1: oops: unknown setting/,
    );

    site.write({ sources: sources('l') });
    const module = await site.start({ config: site.file });
    await eventually(async () => (await site.status()).config.state === 'applied');
    await pause(300);
    await module.end('SIGKILL');
    writeFileSync(site.file, '');
    await site.start({ config: site.file });
    const { config, totals } = await eventually(site.status);
    expect(config).toMatchObject({ state: 'refused', origin: 'file', running: { origin: 'file' } });
    expect(config.errors[0].message).toMatch(/cut off/);
    expect(totals.sources).toBe(3);
  });

  it('takes settings of the twin over its file, keeps them through a start without the hub, and lets them go', async () => {
    const site = await makeSite();
    site.write({ sources: sources('s') });
    const module = await site.start({ config: site.file });
    const config = async () => (await site.status()).config;
    site.desire({ logLevel: 'debug', windows: { ageMs: 500 } });
    await eventually(async () => (await config()).origin === 'twin-settings');
    expect(await config()).toMatchObject({ state: 'applied', version: '2' });
    site.desire({ windows: { ageMs: 5000 } });
    await eventually(async () => (await config()).state === 'refused');
    expect(await config()).toMatchObject({
      origin: 'twin-settings',
      errors: [{ path: 'windows.quietMs' }],
      running: { origin: 'twin-settings', version: '2' },
    });
    site.desire({ windows: { ageMs: 400 } });
    await eventually(async () => (await config()).version === '4');
    await module.end('SIGKILL');

    await hub.setFaults({ refuse: ['device'] });
    const offline = await site.start({ config: site.file });
    expect(await eventually(config)).toMatchObject({
      state: 'last-good',
      origin: 'twin-settings',
      version: '4',
    });
    site.write({ sources: [] });
    await eventually(async () => (await site.status()).sources.length === 0);
    expect(await config()).toMatchObject({ state: 'last-good', origin: 'twin-settings', version: '4' });
    await offline.end('SIGTERM');

    await hub.clearFaults();
    site.desire({ logLevel: null, windows: null });
    await site.start({ config: site.file });
    await eventually(async () => (await config()).origin === 'file');
    expect(await config()).toMatchObject({ state: 'applied', errors: [] });
  });

  it('ends a second start on the same data folder with 1 and a message, and is not disturbed by it', async () => {
    const site = await makeSite();
    site.write({ sources: [] });
    const module = await site.start({ config: site.file });
    const second = await failStart({ config: site.file, env: site.env });
    expect(second.code).toBe(1);
    expect(second.output).toMatch(/spool-locked/);
    expect(second.output).toMatch(/another process uses/);
    expect((await site.status()).config.state).toBe('applied');
    expect(await module.end('SIGTERM')).toBe(0);
  });
});

describe('the way to the hub', () => {
  it('changes while the module runs: another output, a cap, and back; the sources do not notice', async () => {
    const site = await makeSite();
    const all = sources('u');
    const config = (uplink: object) => ({ ...site.base, sources: all, uplink });
    const lastOutput = () =>
      hub
        .events(Math.max(0, hub.state().events.stored - 50), 50)
        .filter(({ properties }) => String(properties.batchId).startsWith('u-'))
        .at(-1)?.system.outputName;
    site.desire(config({}));
    await site.start();
    await eventually(
      () =>
        hub.state().events.held > 0 &&
        lastOutput() === undefined &&
        site.reported().config?.state === 'applied',
      30_000,
    );
    site.desire({ uplink: { output: 'readings' } });
    await eventually(() => lastOutput() === 'readings');
    await eventually(() => site.reported().config?.version === '3');

    site.desire({ uplink: { caps: { messagesPerDay: 1 } } });
    await eventually(async () => (await site.status()).forwarder.waitingFor === 'daily-cap');
    site.desire({ uplink: { output: null, caps: null } });
    await eventually(async () => (await site.status()).forwarder.waitingFor === undefined);
    await eventually(() => lastOutput() === undefined);
    for (const { sessions, lastBreak } of (await site.status()).sources) {
      expect(sessions).toBe(1);
      // A busy machine has no time for some polls.
      expect(lastBreak?.reason ?? 'poll-missed').toBe('poll-missed');
    }
  });
});

describe(`a module killed amid reloads (HOLDFAST_SEED=${seed})`, () => {
  it('runs the old or the new configuration, whole, and no window claims a reading that it does not carry', async () => {
    const random = seededRandom(seed);
    const site = await makeSite();
    const variant = (round: number) => {
      const all = sources('k', ({ name }) => (name === 'meter' ? { pollMs: 50 + round } : {}));
      return round % 3 === 2 ? all.filter(({ name }) => name !== 'k-boiler') : all;
    };
    site.desire({ ...site.base, sources: variant(0) });
    const rounds = Number(process.env.HOLDFAST_KILLS ?? 4);
    for (let round = 1; round <= rounds; round++) {
      const module = await site.start();
      await eventually(async () => (await site.status()).uplink.connected);
      await pause(200);
      site.desire({ sources: variant(round) });
      await pause(randomInt(random, 120));
      await module.end('SIGKILL');
    }
    const last = await site.start();
    // By its own word: what the twin holds as reported may be an earlier process's.
    // In any order: a source that a reload brought back comes last.
    const wanted = variant(rounds)
      .map(({ name }) => name)
      .sort();
    await eventually(async () => {
      const { config: inForce, sources: read } = await site.status();
      const names = read.map(({ name }: { name: string }) => name);
      return inForce.state === 'applied' && String(names.sort()) === String(wanted);
    });
    await pause(1500);
    expect(await last.end('SIGTERM')).toBe(0);
    await pause(1000);

    const truth = [...plant.truth(1)].map(({ timestamp, values }) => ({
      at: timestamp,
      values: { ...values },
    }));
    const copy = tap.copy.streams().get('k-press');
    const account = accountStamped({
      stream: 'k-press',
      truth,
      copy,
      logReachesBackTo: Number.POSITIVE_INFINITY,
    });
    expect(account.delivered).toBeGreaterThan(0);
    expect(account).toMatchObject({ invented: 0, changed: 0, problems: [] });
    const claimed = account.missingRanges.filter(({ why }) => why === 'not in the window that claims them');
    expect(claimed).toEqual([]);
  });
});

describe('stopping', () => {
  it('takes less than 10 s while the hub is frozen, the disk is slow and the equipment is silent', async () => {
    const site = await makeSite();
    // With a daily cap, so that there is a count to be kept at stop.
    site.write({ sources: sources('s'), uplink: { caps: { messagesPerDay: 100_000 } } });
    const slow = join(site.folder, 'slow');
    const module = await site.start({
      config: site.file,
      env: { HOLDFAST_TEST_SLOW: slow },
      node: ['--import', './test/support/slow-disk.mjs'],
    });
    await eventually(async () => {
      const { uplink, forwarder } = await site.status();
      return uplink.connected && forwarder.sent.live > 2;
    });
    await hub.setFaults({ stall: ['device'] });
    await plant.setFaults({ units: { 1: { silent: true }, 2: { silent: true }, 3: { silent: true } } });
    writeFileSync(slow, '');
    await pause(500);
    const startedAt = performance.now();
    const code = await module.end('SIGTERM');
    const tookMs = performance.now() - startedAt;
    await plant.setFaults({ units: { 1: null, 2: null, 3: null } });
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(10_000);
    // Proof that it was as bad as it says.
    expect(module.log()).toMatch(/a shutdown step failed or timed out/);
    rmSync(slow);
    const again = await site.start({ config: site.file });
    await eventually(async () => (await site.status()).sources.every((s: Source) => s.readings > 5));
    expect(await again.end('SIGTERM')).toBe(0);
  });
});

describe('crashes', () => {
  it('again and again: the sources wait, say so, and are released by a configuration; a good stop forgets', async () => {
    const site = await makeSite();
    const restarts = { free: 1, maxPauseMs: 3_600_000 };
    site.write({ sources: sources('c'), restarts });
    for (let crash = 0; crash < 8; crash++) {
      const module = await site.start({ config: site.file });
      await module.end('SIGKILL');
    }
    const module = await site.start({ config: site.file });
    const status = await eventually(site.status);
    expect(status.starts).toEqual({ quickCrashes: 8, waiting: true });
    expect(status.sources.every((s: Source) => s.phase === 'stopped')).toBe(true);
    expect(module.log()).toMatch(/crashed again and again/);
    await eventually(() => site.reported().starts?.waiting === true);

    site.write({ sources: sources('c').slice(0, 2), restarts });
    await eventually(async () => (await site.status()).sources.every((s: Source) => s.readings > 5));
    expect((await site.status()).starts.waiting).toBe(false);
    expect(await module.end('SIGTERM')).toBe(0);

    await site.start({ config: site.file });
    expect((await eventually(site.status)).starts).toEqual({ quickCrashes: 0, waiting: false });
  });

  it('in the Azure client cost the connection, a socket that nobody listens to costs nothing, our own end the process', async () => {
    const site = await makeSite();
    site.write({ sources: [] });
    const module = await site.start({
      config: site.file,
      node: ['--import', './test/support/stray-throw.mjs'],
    });
    const connected = async () => (await site.status()).uplink.connected;
    await eventually(connected);
    const { since } = (await site.status()).uplink;
    module.child.kill('SIGUSR2');
    await eventually(async () => (await site.status()).strayErrors === 1);
    await eventually(async () => (await connected()) && (await site.status()).uplink.since !== since);
    expect(module.log()).toMatch(/the client library threw/);
    module.child.kill('SIGWINCH');
    await eventually(async () => (await site.status()).strayErrors === 2);
    expect(module.log()).toMatch(/ECONNRESET.*nobody listened|nobody listened.*ECONNRESET/);
    expect(await module.end('SIGIO')).toBe(70);
    expect(module.log()).toMatch(/a defect of ours/);
  });
});
