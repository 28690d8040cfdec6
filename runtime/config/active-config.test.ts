import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { createActiveConfig } from './active-config.ts';
import type { ConfiguredModule } from './active-config-api.ts';
import { ConfigError } from './config-error.ts';
import type { ReloadPlan } from './reload-plan.ts';
import type { Config } from './schema.ts';
import type { ConfigReport } from './version.ts';

const source = (name: string, more: object = {}) => ({
  name,
  type: 'modbus-tcp',
  host: 'h',
  tags: [{ name: 't', address: 0, type: 'int16' }],
  ...more,
});

/** The spool's settings: they outlive a process. */
function makeStore() {
  const kept = new Map<string, string>();
  return {
    kept,
    putSetting: async (name: string, value: unknown) => void kept.set(name, JSON.stringify(value)),
    getSetting: async (name: string) => (kept.has(name) ? JSON.parse(kept.get(name)!) : undefined),
  };
}

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

interface Bench {
  readonly file?: string | null;
  readonly store?: ReturnType<typeof makeStore>;
  readonly useTwin?: boolean;
  readonly folder?: string;
}

function bench({ file, store = makeStore(), useTwin = true, folder: given }: Bench = {}) {
  const folder = given ?? mkdtempSync(join(tmpdir(), 'config-'));
  if (!given) folders.push(folder);
  mkdirSync(join(folder, 'data'), { recursive: true });
  const path = join(folder, 'site.yaml');
  const write = (value: unknown) =>
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  if (file) write(file);
  const clock = new VirtualClock();
  const applied: { next: Config; plan: ReloadPlan }[] = [];
  const reports: ConfigReport[] = [];
  let changed = () => {};
  const state = { connected: false, sources: new Set<string>(), applying: async () => {} };
  const active = createActiveConfig({
    file: path,
    useTwin,
    dataFolder: join(folder, 'data'),
    clock,
    log: silentLog,
    watch: ({ onChange }) => {
      changed = onChange;
      return { follow: async () => {}, stop() {} };
    },
  });
  const module: ConfiguredModule = {
    apply: async (next, plan) => {
      applied.push({ next, plan });
      await state.applying();
    },
    onReport: (report) => void reports.push(report),
    working: () => ({
      ...{ hub: state.connected, sources: state.sources },
      ...{
        hubError: 'port 5671 refused',
        sourceErrors: new Map([['a', 'connect ECONNREFUSED 127.0.0.1:1']]),
      },
    }),
  };
  const rest = async () => {
    // Files are read for real: what was asked for before is there once as many reads of ours are.
    for (let turn = 0; turn < 8; turn++) {
      await readFile(import.meta.filename);
      await new Promise((resolve) => setTimeout(resolve, 2));
      await clock.advance(0);
    }
  };
  return {
    ...{ active, folder, store, clock, applied, reports, state, write, rest },
    async touch(value: unknown) {
      write(value);
      changed();
      await rest();
    },
    async twin(desired: Record<string, unknown>) {
      active.desired(desired);
      await rest();
    },
    async boot(mayWait = false) {
      const config = await active.boot(store, mayWait);
      active.start(module);
      await rest();
      return config;
    },
    names: () => active.config().sources.map(({ name }) => name),
  };
}

const yaml = (...names: string[]) => JSON.stringify({ sources: names.map((name) => source(name)) });

describe('at boot', () => {
  it("runs the gateway's own file, and keeps it as last good", async () => {
    const first = bench({ file: yaml('a') });
    await first.boot();
    expect(first.names()).toEqual(['a']);
    expect(first.active.report()).toMatchObject({ state: 'applied', origin: 'file', errors: [] });
    expect(first.applied).toEqual([]);
    expect(JSON.parse(first.store.kept.get('config.lastGood')!)).toMatchObject({ origin: 'file' });
  });

  it.each([
    ['gone', undefined, 'last-good'],
    ['cut off by a power loss', '', 'refused'],
    ['wrong', '{"sources": 5, "oops": 1}', 'refused'],
  ])('runs the last good one when the file is %s, and says so', async (_what, text, state) => {
    const first = bench({ file: yaml('a') });
    await first.boot();
    const next = bench({ store: first.store, ...(text !== undefined && { file: text || ' ' }) });
    await next.boot();
    expect(next.names()).toEqual(['a']);
    expect(next.active.report()).toMatchObject({ state });
    if (state === 'refused') {
      expect(next.active.report()).toMatchObject({ running: { origin: 'file' } });
      expect(next.active.report().errors.length).toBeGreaterThan(0);
    }
  });

  it('runs what the twin had configured, without a network, although the file says otherwise', async () => {
    const first = bench({ file: yaml('a') });
    await first.boot();
    await first.twin({ $version: 7, sources: [source('fromTwin')] });
    const next = bench({ store: first.store, file: yaml('a') });
    const config = await next.boot();
    expect(config.sources.map(({ name }) => name)).toEqual(['fromTwin']);
    expect(next.active.report()).toMatchObject({ state: 'last-good', origin: 'twin', version: '7' });
    expect(next.applied).toEqual([]);
    await next.twin({ $version: 7, sources: [source('fromTwin')] });
    expect(next.active.report()).toMatchObject({ state: 'applied', origin: 'twin', version: '7' });
    expect(next.applied).toEqual([]);
  });

  it('without anything: waits for the file or the twin, and applies what comes first', async () => {
    // Where nobody may bring one, a file that is named and not there is a slip.
    await expect(bench().boot()).rejects.toThrow(/site\.yaml: 1 problem/);
    const one = bench();
    expect((await one.boot(true)).sources).toEqual([]);
    expect(one.active.report()).toMatchObject({ state: 'waiting' });
    await one.touch(yaml('a'));
    expect(one.names()).toEqual(['a']);
    const two = bench();
    await two.boot(true);
    await two.twin({ $version: 1, sources: [source('b')] });
    expect(two.names()).toEqual(['b']);
  });

  it('is decided once somebody gave what runs, and the twin, where it is heeded, cannot hold another', async () => {
    const waiting = bench();
    await waiting.boot(true);
    expect(waiting.active.isDecided()).toBe(false);
    await waiting.twin({ $version: 1, sources: [source('b')] });
    expect(waiting.active.isDecided()).toBe(true);
    // What ran last is lost, and the twin, which may have it, was not read yet.
    const bereft = bench({ file: yaml('a') });
    await bereft.boot();
    expect(bereft.names()).toEqual(['a']);
    expect(bereft.active.isDecided()).toBe(false);
    await bereft.twin({});
    expect(bereft.active.isDecided()).toBe(true);
    const again = bench({ file: yaml('a'), store: bereft.store });
    await again.boot();
    expect(again.active.isDecided()).toBe(true);
    const alone = bench({ file: yaml('a'), useTwin: false });
    await alone.boot();
    expect(alone.active.isDecided()).toBe(true);
  });

  it('with a wrong file and nothing else: refuses to start, or under IoT Edge waits for the twin', async () => {
    const wrong = bench({ file: 'sources: 5' });
    await expect(wrong.active.boot(wrong.store, false)).rejects.toThrow(ConfigError);
    const edge = bench({ file: 'sources: 5' });
    await edge.boot(true);
    expect(edge.active.report()).toMatchObject({ state: 'refused', origin: 'file' });
    await edge.twin({ $version: 2, sources: [source('a')] });
    expect(edge.active.report()).toMatchObject({ state: 'applied', origin: 'twin' });
  });

  it('passes over a last good one that this version does not understand', async () => {
    const store = makeStore();
    await store.putSetting('config.lastGood', {
      origin: 'twin',
      version: '1',
      hash: 'x',
      input: { future: 1 },
    });
    const next = bench({ store, file: yaml('a') });
    await next.boot();
    expect(next.names()).toEqual(['a']);
  });
});

describe('while running', () => {
  it('a change restarts what differs and nothing else', async () => {
    const site = bench({ file: yaml('a', 'b') });
    await site.boot();
    await site.touch({ sources: [source('a'), source('b', { unit: 3 }), source('c')] });
    expect(site.applied).toHaveLength(1);
    expect(site.applied[0]?.plan.sources).toMatchObject({ removed: [], kept: 1 });
    expect(site.applied[0]?.plan.sources.started.map(({ name }) => name)).toEqual(['b', 'c']);
    await site.touch({ sources: [source('a'), source('b', { unit: 3 }), source('c')] });
    expect(site.applied).toHaveLength(1);
  });

  it('a bad twin changes nothing, is reported with every error, bounded, and heals by the next', async () => {
    const site = bench({ file: yaml('a') });
    await site.boot();
    const wrong = Array.from({ length: 79 }, (_, at) => [`zz${at}`, 'x'.repeat(50)]);
    const bad = Array.from({ length: 40 }, (_, at) => source(`s${at}`, { unit: 999 }));
    await site.twin({ $version: 3, sources: bad, ...Object.fromEntries(wrong) });
    expect(site.applied).toEqual([]);
    const report = site.active.report();
    expect(report).toMatchObject({
      state: 'refused',
      origin: 'twin',
      version: '3',
      running: { origin: 'file' },
      moreErrors: 70,
    });
    expect(report.errors).toHaveLength(10);
    expect(JSON.stringify(report).length).toBeLessThan(4096);
    await site.twin({ $version: 4, sources: [source('b')] });
    expect(site.active.report()).toMatchObject({ state: 'applied', version: '4' });
    expect(site.active.report()).not.toHaveProperty('running');
  });

  it('the twin stands above the file; once it holds nothing more, the file decides again', async () => {
    const site = bench({ file: yaml('a') });
    await site.boot();
    await site.twin({ $version: 2, sources: [source('b')] });
    await site.touch(yaml('c'));
    expect(site.names()).toEqual(['b']);
    await site.twin({ $version: 3 });
    expect(site.names()).toEqual(['c']);
    expect(site.active.report()).toMatchObject({ state: 'applied', origin: 'file' });
  });

  it('is heard by a file alone where the twin is not to be heeded', async () => {
    const site = bench({ file: yaml('a'), useTwin: false });
    await site.boot();
    await site.twin({ $version: 2, sources: [source('b')] });
    expect(site.names()).toEqual(['a']);
  });

  it('takes a file that the twin names, and refuses another under its name', async () => {
    const site = bench({ file: yaml('a') });
    await site.boot();
    const named = join(site.folder, 'named.yaml');
    await site.twin({ $version: 5, configFile: named });
    expect(site.active.report()).toMatchObject({ state: 'refused', origin: 'twin-file', version: '5' });
    writeFileSync(named, yaml('n'));
    site.active.reread();
    await site.rest();
    expect(site.names()).toEqual(['n']);
    await site.twin({ $version: 6, configFile: named, configHash: '0'.repeat(64) });
    expect(site.active.report()).toMatchObject({
      state: 'refused',
      version: '6',
      errors: [{ path: 'configHash' }],
    });
    expect(site.names()).toEqual(['n']);
  });

  it('refuses to move the data folder, and goes on', async () => {
    const site = bench({ file: yaml('a') });
    await site.boot();
    await site.touch({ dataFolder: '/elsewhere', sources: [source('b')] });
    expect(site.active.report()).toMatchObject({ state: 'refused', errors: [{ path: 'dataFolder' }] });
    expect(site.names()).toEqual(['a']);
  });

  it('says which settings wait for the next start', async () => {
    const site = bench({ file: yaml('a') });
    await site.boot();
    await site.touch({ clock: { slewMs: 100 }, sources: [source('a')] });
    expect(site.active.report()).toMatchObject({ state: 'applied', atNextStart: ['clock'] });
  });

  it('a change amid a change is taken after it; the last one wins and none is lost', async () => {
    const site = bench({ file: yaml('a') });
    await site.boot();
    let release = () => {};
    site.state.applying = () => new Promise((resolve) => (release = () => resolve()));
    await site.twin({ $version: 2, sources: [source('b')] });
    await site.twin({ $version: 3, sources: [source('c')] });
    await site.twin({ $version: 4, sources: [source('d')] });
    expect(site.applied.map(({ next }) => next.sources[0]?.name)).toEqual(['b']);
    site.state.applying = async () => {};
    release();
    await site.rest();
    expect(site.applied.map(({ next }) => next.sources[0]?.name)).toEqual(['b', 'd']);
    expect(site.active.report()).toMatchObject({ state: 'applied', version: '4' });
  });

  it('after a crash amid a change, what ran before runs again, whole', async () => {
    const first = bench({ file: yaml('a') });
    await first.boot();
    first.state.applying = () => new Promise(() => {});
    await first.twin({ $version: 2, sources: [source('b')] });
    expect(first.applied).toHaveLength(1);
    const next = bench({ store: first.store, file: yaml('a') });
    await next.boot();
    expect(next.names()).toEqual(['a']);
  });

  it('begins nothing any more once it is stopped', async () => {
    const site = bench({ file: yaml('a') });
    await site.boot();
    await site.active.stop();
    await site.touch(yaml('b'));
    expect(site.applied).toEqual([]);
  });
});

describe('settings of the twin over the file', () => {
  const debug = { $version: 2, logLevel: 'debug', windows: { ageMs: '2s' } };
  const file = JSON.stringify({ sources: [source('a')], windows: { quietMs: 20_000 }, logLevel: 'warn' });
  const settingsOf = ({ active }: ReturnType<typeof bench>) => {
    const { logLevel, windows } = active.config();
    return { logLevel, ageMs: windows.ageMs, quietMs: windows.quietMs };
  };
  const ofFile = { logLevel: 'warn', ageMs: 10_000, quietMs: 20_000 };
  const ofBoth = { logLevel: 'debug', ageMs: 2000, quietMs: 20_000 };

  it('are laid over it by key, touch no source, and follow a change of the file; without them it counts alone', async () => {
    const site = bench({ file });
    await site.boot();
    await site.twin(debug);
    expect(settingsOf(site)).toEqual(ofBoth);
    expect(site.active.report()).toMatchObject({ state: 'applied', origin: 'twin-settings', version: '2' });
    expect(site.applied[0]?.plan.sources).toMatchObject({ removed: [], started: [], kept: 1 });
    await site.touch({ sources: [source('a'), source('b')], logLevel: 'error' });
    expect(site.names()).toEqual(['a', 'b']);
    expect(settingsOf(site)).toEqual({ ...ofBoth, quietMs: 60_000 });
    await site.touch(file);
    await site.twin({ $version: 3 });
    expect(settingsOf(site)).toEqual(ofFile);
    expect(site.active.report()).toMatchObject({ state: 'applied', origin: 'file' });
  });

  it('are refused whole where one is wrong, at its path, and the file goes on', async () => {
    process.env.HOLDFAST_TEST_OVERLAY = 'warn';
    const site = bench({ file });
    await site.boot();
    await site.twin({ $version: 2, logLevel: '${HOLDFAST_TEST_OVERLAY}', windows: { ageMs: 5, ages: 1 } });
    delete process.env.HOLDFAST_TEST_OVERLAY;
    expect(site.active.report()).toMatchObject({
      state: 'refused',
      origin: 'twin-settings',
      hash: expect.stringMatching(/^[0-9a-f]{16}$/),
      running: { origin: 'file' },
      errors: [
        { path: 'logLevel', message: expect.stringContaining("only the gateway's own file") },
        { path: 'windows.ageMs', message: expect.stringContaining('at least 100') },
        { path: 'windows.ages', message: expect.stringContaining('did you mean ageMs?') },
      ],
    });
    expect(settingsOf(site)).toEqual(ofFile);
    // Right by themselves, and not with what the file has.
    await site.twin({ $version: 3, windows: { ageMs: 30_000 } });
    expect(site.active.report()).toMatchObject({
      state: 'refused',
      version: '3',
      errors: [{ path: 'windows.quietMs' }],
    });
    expect(site.applied).toEqual([]);
    await site.touch(yaml('a'));
    expect(site.active.report()).toMatchObject({ state: 'applied', version: '3' });
    expect(settingsOf(site)).toMatchObject({ ageMs: 30_000 });
  });

  it.each([
    [{ rules: [] }, 'rules', /own file: set it there, or give the twin a whole .* go logLevel, windows/],
    [{ uplink: { output: 'x' } }, 'uplink.output', /own file: .* Over a file go body, gzip/],
    [{ spool: { retention: {} } }, 'spool.retention', /own file: .* Over a file go commitIntervalMs/],
    [{ dataFolder: '/x' }, 'dataFolder', /own file/],
    [{ souces: [] }, 'souces', /did you mean sources\?/],
  ])('%j does not go over a file', async (settings, path, message) => {
    const site = bench({ file });
    await site.boot();
    await site.twin({ $version: 2, ...settings });
    const report = site.active.report();
    expect(report).toMatchObject({ state: 'refused', errors: [{ path }] });
    expect(report.errors[0]?.message).toMatch(message);
    expect(settingsOf(site)).toEqual(ofFile);
  });

  it('need a file', async () => {
    const site = bench();
    await site.boot(true);
    await site.twin({ $version: 3, logLevel: 'debug', rules: [] });
    expect(site.active.report()).toMatchObject({
      state: 'refused',
      version: '3',
      errors: [
        { path: 'sources', message: expect.stringMatching(/there is no .*site\.yaml. Put it there/) },
        { path: 'rules' },
      ],
    });
    await site.touch(file);
    await site.twin({ $version: 4, logLevel: 'debug' });
    expect(site.active.report()).toMatchObject({ state: 'applied', origin: 'twin-settings' });
  });

  it('outlive a restart without a network, over the file as it is by then', async () => {
    const first = bench({ file });
    await first.boot();
    await first.twin(debug);
    const changed = JSON.stringify({ sources: [source('a'), source('b')], logLevel: 'error' });
    const next = bench({ store: first.store, file: changed });
    await next.boot();
    expect(next.names()).toEqual(['a', 'b']);
    expect(settingsOf(next)).toEqual({ ...ofBoth, quietMs: 60_000 });
    expect(next.active.report()).toMatchObject({ state: 'last-good', origin: 'twin-settings', version: '2' });
    await next.touch(file);
    expect(next.names()).toEqual(['a']);
    expect(settingsOf(next)).toEqual(ofBoth);
    await next.twin(debug);
    expect(next.active.report()).toMatchObject({ state: 'applied', origin: 'twin-settings', version: '2' });
    // Gone since: what ran goes on, here and from the next start.
    const bereft = bench({ store: first.store });
    await bereft.boot();
    expect(settingsOf(bereft)).toEqual(ofBoth);
    expect(bereft.active.report()).toMatchObject({ state: 'last-good', origin: 'twin-settings' });
    const removed = bench({ store: first.store, file });
    await removed.boot();
    await removed.twin({ $version: 3 });
    expect(settingsOf(removed)).toEqual(ofFile);
  });

  it('that change the way to the hub are on trial, and taken back to the file', async () => {
    const site = bench({ file });
    site.state.connected = true;
    await site.boot();
    await site.twin({ $version: 2, uplink: { sendTimeoutMs: 500 }, revertAfterMs: '1min' });
    site.state.connected = false;
    expect(site.active.report()).toMatchObject({ state: 'trial', origin: 'twin-settings' });
    expect(JSON.parse(site.store.kept.get('config.lastGood')!)).not.toHaveProperty('overlay');
    await site.clock.advance(61_000);
    await site.rest();
    expect(site.active.config().uplink.sendTimeoutMs).toBe(30_000);
    expect(site.active.report()).toMatchObject({
      state: 'reverted',
      version: '2',
      running: { origin: 'file' },
    });
  });
});

describe('another way to the hub', () => {
  const withTransport = (transport: string) => ({ sources: [source('a')], uplink: { transport } });

  async function changed() {
    const site = bench({ file: JSON.stringify(withTransport('amqp')) });
    site.state.connected = true;
    await site.boot();
    await site.twin({ $version: 2, ...withTransport('amqp-ws') });
    site.state.connected = false;
    return site;
  }

  it('is given up when the hub cannot be reached by it, and not tried again', async () => {
    const site = await changed();
    expect(site.applied[0]?.plan.uplink).toBe(true);
    await site.clock.advance(179_000);
    expect(site.active.config().uplink.transport).toBe('amqp-ws');
    await site.clock.advance(2000);
    await site.rest();
    expect(site.active.config().uplink.transport).toBe('amqp');
    expect(site.active.report()).toMatchObject({
      state: 'reverted',
      version: '2',
      running: { origin: 'file' },
      errors: [
        {
          path: 'uplink',
          message: expect.stringMatching(/: port 5671 refused\. .* correct it and send it again$/),
        },
      ],
    });
    await site.twin({ $version: 3, ...withTransport('amqp-ws') });
    expect(site.active.report()).toMatchObject({ state: 'reverted', version: '3' });
    expect(site.active.config().uplink.transport).toBe('amqp');
    expect(site.store.kept.get('config.lastGood')).not.toContain('amqp-ws');
  });

  it('is kept as last good once the hub was reached by it, and not before', async () => {
    const site = await changed();
    expect(site.store.kept.get('config.lastGood')).not.toContain('amqp-ws');
    site.state.connected = true;
    await site.clock.advance(2000);
    site.state.connected = false;
    await site.clock.advance(600_000);
    await site.rest();
    expect(site.active.config().uplink.transport).toBe('amqp-ws');
    expect(site.store.kept.get('config.lastGood')).toContain('amqp-ws');
  });

  it('is on trial no longer once a later configuration goes back to the former way', async () => {
    const site = await changed();
    await site.touch({ ...withTransport('amqp'), logLevel: 'warn' });
    await site.twin({ $version: 3, ...withTransport('amqp'), logLevel: 'debug' });
    await site.clock.advance(600_000);
    await site.rest();
    expect(site.active.config().logLevel).toBe('debug');
    expect(site.active.report()).toMatchObject({ state: 'applied', version: '3' });
    expect(site.store.kept.get('config.lastGood')).toContain('debug');
  });

  it('is on no trial where the hub was not reached before either', async () => {
    const site = bench({ file: JSON.stringify(withTransport('amqp')) });
    await site.boot();
    await site.touch(withTransport('amqp-ws'));
    await site.clock.advance(600_000);
    await site.rest();
    expect(site.active.config().uplink.transport).toBe('amqp-ws');
    expect(site.store.kept.get('config.lastGood')).toContain('amqp-ws');
  });
});

describe('sources that worked before', () => {
  /** A site with two sources of which data comes, and a change of the first. */
  async function changed(more: object = { host: 'wrong' }) {
    const site = bench({ file: yaml('a', 'b') });
    site.state.sources = new Set(['a', 'b']);
    await site.boot();
    await site.twin({ $version: 2, sources: [source('a', more), source('b')] });
    site.state.sources = new Set(['b']);
    return site;
  }
  const hostOf = (site: Awaited<ReturnType<typeof changed>>) =>
    (site.active.config().sources[0] as { host?: string }).host;
  const pass = async (site: Awaited<ReturnType<typeof changed>>, ms: number) => {
    await site.clock.advance(ms);
    await site.rest();
  };

  it('come back with their former settings when they are not reached by the new ones; the report says which', async () => {
    const site = await changed();
    expect(site.active.report()).toMatchObject({ state: 'trial', version: '2' });
    expect(site.store.kept.get('config.lastGood')).not.toContain('wrong');
    await pass(site, 179_000);
    expect(hostOf(site)).toBe('wrong');
    await pass(site, 2000);
    expect(hostOf(site)).toBe('h');
    const report = site.active.report();
    expect(report).toMatchObject({
      state: 'reverted',
      version: '2',
      running: { origin: 'file' },
      errors: [
        {
          path: 'sources',
          message: expect.stringMatching(
            /^a had a connection .* none within 180 s .*: connect ECONNREFUSED 127\.0\.0\.1:1\. .* correct it and send it again$/,
          ),
        },
      ],
    });
    expect(report.hash).toMatch(/^[0-9a-f]{16}$/);
    expect(report.running?.hash).toMatch(/^[0-9a-f]{16}$/);
    expect(report.hash).not.toBe(report.running?.hash);
  });

  it('are left alone once data came by the new settings, whatever becomes of it then', async () => {
    const site = await changed({ unit: 3 });
    site.state.sources = new Set(['a', 'b']);
    await pass(site, 1000);
    expect(site.active.report()).toMatchObject({ state: 'applied', version: '2' });
    site.state.sources = new Set();
    await pass(site, 600_000);
    expect(site.active.report()).toMatchObject({ state: 'applied', version: '2' });
    expect(JSON.parse(site.store.kept.get('config.lastGood')!)).toMatchObject({ version: '2' });
  });

  it('are not decided until the trial is over: nobody may declare lost what the former ones can have', async () => {
    const site = await changed();
    expect(site.active.isDecided()).toBe(false);
    await pass(site, 100_000);
    await site.twin({ $version: 3, sources: [source('a', { host: 'worse' }), source('b')] });
    expect(site.active.isDecided()).toBe(false);
    await pass(site, 179_000);
    expect(site.active.isDecided()).toBe(false);
    await pass(site, 2000);
    expect([hostOf(site), site.active.isDecided()]).toEqual(['h', true]);
    const passed = await changed({ unit: 3 });
    passed.state.sources = new Set(['a', 'b']);
    await pass(passed, 1000);
    expect(passed.active.isDecided()).toBe(true);
  });

  it('are tried again when somebody sends the same once more: the equipment may only have been off', async () => {
    const site = await changed();
    await pass(site, 181_000);
    await site.touch(yaml('a', 'b'));
    expect(site.active.report()).toMatchObject({ state: 'reverted', version: '2' });
    expect(hostOf(site)).toBe('h');
    site.state.sources = new Set(['a', 'b']);
    await site.twin({ $version: 3, sources: [source('a', { host: 'wrong' }), source('b')] });
    expect(site.active.report()).toMatchObject({ state: 'trial', version: '3' });
  });

  it('under another name must be reached, too, by any of those that took their place', async () => {
    const site = bench({ file: yaml('a') });
    site.state.sources = new Set(['a']);
    await site.boot();
    await site.twin({
      $version: 2,
      sources: [source('x', { host: 'wrong' }), source('y', { host: 'wrong' })],
    });
    site.state.sources = new Set();
    await pass(site, 181_000);
    expect(site.names()).toEqual(['a']);
    expect(site.active.report()).toMatchObject({ state: 'reverted', version: '2' });
  });

  it.each([
    ['never worked', new Set<string>(), [source('a', { host: 'wrong' })]],
    ['are removed on purpose', new Set(['a', 'b']), [source('b')]],
    ['are not touched', new Set(['a', 'b']), [source('a'), source('b'), source('c')]],
  ])('that %s put nothing on trial', async (_what, working, sources) => {
    const site = bench({ file: yaml('a', 'b') });
    site.state.sources = working;
    await site.boot();
    await site.twin({ $version: 2, sources });
    expect(site.active.report()).toMatchObject({ state: 'applied', version: '2' });
  });

  it('are measured by what the configuration before the trial had shown, through any number of changes', async () => {
    const site = await changed();
    await pass(site, 100_000);
    await site.twin({ $version: 3, sources: [source('a', { host: 'worse' }), source('b')] });
    expect(site.active.report()).toMatchObject({ state: 'trial', version: '3' });
    await pass(site, 181_000);
    expect(hostOf(site)).toBe('h');
    await site.twin({ $version: 4, sources: [source('a'), source('b')] });
    expect(site.active.report()).toMatchObject({ state: 'applied', version: '4' });
  });

  it('are not forgotten by a crash amid the trial: it begins again', async () => {
    const first = await changed();
    const next = bench({ store: first.store, file: yaml('a', 'b') });
    await next.boot();
    expect(next.active.report()).toMatchObject({ state: 'applied', origin: 'file' });
    // The twin is read before any source has a connection.
    await next.twin({ $version: 2, sources: [source('a', { host: 'wrong' }), source('b')] });
    expect(next.active.report()).toMatchObject({ state: 'trial' });
    await pass(next, 181_000);
    expect(hostOf(next)).toBe('h');
    expect(next.store.kept.get('config.trial')).toBe('null');
  });

  it('stay away where nothing shall be taken back', async () => {
    const site = bench({ file: yaml('a') });
    site.state.sources = new Set(['a']);
    await site.boot();
    await site.twin({ $version: 2, revertAfterMs: 0, sources: [source('a', { host: 'wrong' })] });
    site.state.sources = new Set();
    await pass(site, 600_000);
    expect(site.active.report()).toMatchObject({ state: 'applied', version: '2' });
  });
});
