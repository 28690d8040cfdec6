// Every alarm by its real fault: the published rules in a real Prometheus, which scrapes real modules and detectors. Each site has one
// trouble, at its equipment, network, hub, disk, clock or database, and has to raise the alarms of that trouble and no other; the
// site that has none raises none. What the rules wait for before they speak is left out; their expressions are as published.
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type DetectorProcess, startDetector } from '../cloud-lite/testing/detector-process.ts';
import { startPostgres, type TestPostgres } from '../cloud-lite/testing/postgres.ts';
import { canMountFuse, FuseDisk } from '../lab/disk/fuse-disk.ts';
import type { FaultPatch } from '../lab/hub/faults.ts';
import { type Hub, startHub } from '../lab/hub/hub.ts';
import { moduleClient, telemetry } from '../lab/hub/testing/clients.ts';
import { type Plant, startPlant } from '../lab/plant/plant.ts';
import { plantSources } from '../lab/plant/site.ts';
import { eventually, type ModuleProcess, startModule } from './support/module-process.ts';
import { missingPrograms } from './support/programs.ts';
import { alertRules, type Prometheus, startPrometheus } from './support/prometheus.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-alarms-'));
const steppedClock = join(import.meta.dirname, 'support/stepped-clock.mjs');
/** What takes minutes, or hangs a disk of this machine: with HOLDFAST_ALL_ALARMS=1, ten minutes in all. */
const isAll = process.env.HOLDFAST_ALL_ALARMS === '1';
const long = isAll ? (name: string, check: () => void | Promise<void>) => void it(name, check) : () => {};
/** Reading counts as behind after five minutes. */
const limitMs = isAll ? 400_000 : 150_000;
/** Alarms that a site raised as it should. */
const raised = new Set<string>();
const closing: (() => unknown)[] = [];
let plant: Plant;
let hub: Hub;
let prometheus: Prometheus;

async function open<T>(what: Promise<T>, close: (what: T) => unknown): Promise<T> {
  const opened = await what;
  closing.push(() => close(opened));
  return opened;
}
const openHub = async (faults: FaultPatch = {}) => {
  const opened = await open(startHub({ partitions: 1 }), (each) => each.stop().catch(() => {}));
  await opened.setFaults(faults);
  return opened;
};
const openPlant = (scanMs = 500) =>
  open(startPlant({ seed: 3, scanMs, historyS: 60 }), (each) => each.stop().catch(() => {}));

/** The press of a plant, without its history unless told. */
function press(
  of: Plant,
  { history = false, ...more }: { history?: boolean } & Record<string, unknown> = {},
) {
  const [first] = plantSources(of.info, { pollMs: 100 });
  const { history: log, ...source } = first as typeof first & { history: object };
  return { ...source, ...(history && { history: log }), ...more };
}

/** How often a site was set up: a second try of a test has one of its own. */
const tries = new Map<string, number>();
const nameOf = (site: string) => `${site}${'-again'.repeat((tries.get(site) ?? 1) - 1)}`;

/** A gateway that is started, ended and started again on the same data. */
class Gateway {
  readonly data: string;
  readonly #site: string;
  readonly #configFile: string;
  readonly #of: { hub: Hub; env: Record<string, string>; node: readonly string[] };
  #module: ModuleProcess | undefined;

  constructor(
    site: string,
    config: object = {},
    of: { hub?: Hub; env?: Record<string, string>; data?: string; node?: readonly string[] } = {},
  ) {
    tries.set(site, (tries.get(site) ?? 0) + 1);
    this.#site = nameOf(site);
    this.#of = { hub: of.hub ?? hub, env: of.env ?? {}, node: of.node ?? [] };
    const home = join(folder, this.#site);
    mkdirSync(home, { recursive: true });
    this.data = of.data ?? join(home, 'data');
    this.#configFile = join(home, 'holdfast.yaml');
    this.configure(config);
    closing.push(() => this.end('SIGKILL'));
  }

  configure(config: object): void {
    const common = {
      dataFolder: this.data,
      statusPort: 0,
      sources: [press(plant)],
      windows: { ageMs: 500, quietMs: 2000 },
    };
    writeFileSync(this.#configFile, stringify({ ...common, ...config }));
  }

  async start(env: Record<string, string> = {}): Promise<this> {
    const { hub: its, node } = this.#of;
    this.#module = await startModule({
      config: this.#configFile,
      env: {
        NODE_EXTRA_CA_CERTS: its.caFile,
        HOLDFAST_CONNECTION_STRING: its.deviceConnectionString(this.#site, 'holdfast'),
        HOLDFAST_MARK_FOLDER: join(folder, this.#site, 'marks'),
        ...this.#of.env,
        ...env,
      },
      node,
    });
    prometheus.watch('holdfast', this.#site, this.#module.statusPort!);
    return this;
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#module?.end(signal);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the tests know what they look for.
  async status(): Promise<any> {
    return this.#module!.status();
  }

  /** So many messages wait on the disk. */
  keeps(messages: number): Promise<boolean> {
    return eventually(async () => {
      const { live, backlog } = (await this.status()).spool.lanes;
      return live.messages + backlog.messages >= messages;
    });
  }
}

/** Until the site raises these alarms and no other. */
async function raises(site: string, ...alarms: string[]): Promise<void> {
  let seen: readonly string[] = [];
  try {
    await eventually(async () => {
      seen = await prometheus.firing(nameOf(site));
      return seen.join() === alarms.toSorted().join();
    }, limitMs);
  } catch {
    expect(seen, site).toEqual(alarms.toSorted());
  }
  for (const alarm of alarms) raised.add(alarm);
}

/** For what comes and goes, or stays for an hour. */
async function raisesAmongOthers(site: string, ...alarms: string[]): Promise<void> {
  for (const alarm of alarms) {
    await eventually(async () => {
      const seen = await prometheus.firing(nameOf(site));
      if (!seen.includes(alarm)) throw new Error(`${site} raises ${seen.join(', ')}, and not ${alarm}`);
      return true;
    }, limitMs);
    raised.add(alarm);
  }
}

describe.skipIf(missingPrograms('prometheus') || (isAll && !canMountFuse()))(
  'each alarm',
  { timeout: 2 * limitMs },
  () => {
    let healthy: Gateway;
    let far: Hub;
    let postgres: TestPostgres;
    let detector: DetectorProcess;
    let cloudUrl: string;
    let boiler: Plant;
    let stopped: Promise<void> | undefined;
    const stopPostgres = () => (stopped ??= postgres.stop());
    let gateway: Gateway;

    const watched = async (site: string, databaseUrl: string) => {
      const started = await open(
        startDetector({
          HOLDFAST_EVENTHUB_CONNECTION: far.eventHubConnectionString,
          HOLDFAST_HUB_CONNECTION: far.serviceConnectionString,
          NODE_EXTRA_CA_CERTS: far.caFile,
          DATABASE_URL: databaseUrl,
          HOLDFAST_SILENCE_MS: '8000',
          HOLDFAST_SWEEP_INTERVAL_MS: '200',
          HOLDFAST_DETECTION_DELAY_MS: '1000',
          HOLDFAST_REQUEST_ATTEMPTS: '3',
          HOLDFAST_REQUEST_RETRY_MS: '100',
        }),
        (each) => each.kill(),
      );
      prometheus.watch('holdfast-detector', site, Number(new URL(started.url).port));
      return started;
    };

    /** Somebody else keeps the checkpoints of this database for himself. */
    const lock = async (databaseUrl: string) => {
      const client = new pg.Client({ connectionString: databaseUrl });
      client.on('error', () => {});
      await client.connect();
      closing.push(() => client.end().catch(() => {}));
      await client.query('begin');
      await client.query('select 1 from checkpoint for update');
    };

    /** Once there are gaps, they have been open for seven hours. */
    const ageGaps = async () => {
      const client = new pg.Client({ connectionString: cloudUrl });
      await client.connect();
      const age = `update gap set opened_at = opened_at - 25200000 where state = 'open'`;
      await eventually(async () => (await client.query(age)).rowCount! > 0).finally(() => client.end());
    };

    beforeAll(async () => {
      plant = await openPlant();
      hub = await openHub();
      prometheus = await open(startPrometheus(join(folder, 'prometheus')), (each) => each.stop());
      healthy = await new Gateway('healthy').start();
      far = await openHub();
      postgres = await startPostgres();
      closing.push(() => stopPostgres());
      boiler = await openPlant();
      const sources = [press(plant), press(boiler, { name: 'boiler' })];
      gateway = await new Gateway('of-the-detector', { sources }, { hub: far }).start();
      if (isAll) {
        // Five minutes pass before it counts.
        const lockedUrl = await postgres.createDatabase();
        const blocked = await watched('blocked', lockedUrl);
        await eventually(async () => (await blocked.streams()).length === 2);
        await lock(lockedUrl);
      }
      cloudUrl = await postgres.createDatabase();
      detector = await watched('cloud', cloudUrl);
    });
    afterAll(async () => {
      for (const close of closing.toReversed()) await close();
      rmSync(folder, { recursive: true, force: true });
    });

    describe('of a gateway, is raised', { concurrent: true }, () => {
      it('where equipment is unplugged', async () => {
        const own = await openPlant();
        await new Gateway('unplugged', { sources: [press(own)] }).start();
        await raises('unplugged');
        own.setFaults({ unreachable: true });
        await raises('unplugged', 'HoldfastSourceDisconnected');
      });

      long('where equipment is unplugged again and again', async () => {
        const own = await openPlant();
        const gateway = await new Gateway('flapping', { sources: [press(own)] }).start();
        const seen = raisesAmongOthers('flapping', 'HoldfastSourceFlapping');
        let isSeen = false;
        seen.finally(() => (isSeen = true)).catch(() => {});
        while (!isSeen) {
          await eventually(async () => (await gateway.status()).sources[0].phase === 'connected');
          own.setFaults({ unreachable: true });
          await wait(200);
          own.setFaults({ unreachable: false });
        }
        await seen;
      });

      it('where a source cannot be built', async () => {
        const gateway = await new Gateway('not-built').start();
        await raises('not-built');
        await gateway.end();
        gateway.configure({ sources: [press(plant, { index: 'sequence' })] });
        await gateway.start();
        await raises('not-built', 'HoldfastSourceNotBuilt');
      });

      long('where there is no hub, and the disk has room for hours', async () => {
        const gone = await openHub();
        const gateway = new Gateway(
          'no-hub',
          { spool: { retention: { maxBytes: 16_777_216, unsentMs: '2h' } } },
          { hub: gone },
        );
        await gone.stop();
        await gateway.start();
        await raises('no-hub', 'HoldfastUplinkDown');
        // How fast the spool fills is known a minute later.
        await raises('no-hub', 'HoldfastUplinkDown', 'HoldfastSpoolFullSoon');
      });

      it('where the disk has no room', async () => {
        const mute = await openHub({ neverSettle: true });
        const sources = [press(plant, { history: true })];
        const gateway = new Gateway('full', { sources }, { hub: mute });
        await gateway.start();
        await gateway.keeps(3);
        await gateway.end();
        const retention = { reserveBytes: 2 ** 50, policy: 'backpressure' };
        gateway.configure({ sources, spool: { retention } });
        await gateway.start();
        await raisesAmongOthers('full', 'HoldfastSpoolFull');
      });

      long('where what waits becomes too old', async () => {
        const mute = await openHub({ neverSettle: true });
        const retention = { unsentMs: 60_000 };
        await new Gateway('evicting', { spool: { retention } }, { hub: mute }).start();
        await raisesAmongOthers('evicting', 'HoldfastDataEvicted');
      });

      long('where the disk hangs', async () => {
        const disk = await open(FuseDisk.make(), (each) => {
          each.hang(false);
          return each.remove();
        });
        const gateway = new Gateway('hanging', {}, { data: join(disk.folder, 'data') });
        await gateway.start();
        await raises('hanging');
        disk.hang(true);
        try {
          await raises('hanging', 'HoldfastDiskFailing');
        } finally {
          // What waits for the disk cannot be killed.
          disk.hang(false);
        }
      });

      it('where the disk changed what was stored', async () => {
        const mute = await openHub({ neverSettle: true });
        const gateway = await new Gateway('damaged', {}, { hub: mute }).start();
        await gateway.keeps(3);
        await gateway.end('SIGKILL');
        spoil(gateway.data);
        await gateway.start();
        await raises('damaged', 'HoldfastSpoolDamaged');
      });

      it('where the data folder is put back', async () => {
        const gateway = await new Gateway('put-back').start();
        await raises('put-back');
        await gateway.end();
        const copy = join(folder, 'copy');
        cpSync(gateway.data, copy, { recursive: true });
        await gateway.start();
        await wait(3000);
        await gateway.end();
        rmSync(gateway.data, { recursive: true });
        cpSync(copy, gateway.data, { recursive: true });
        await gateway.start();
        await raises('put-back', 'HoldfastDataFolderReplaced');
      });

      it('where the key of the spool is gone', async () => {
        const encryption = { key: { env: 'SPOOL_KEY' }, waitMs: 0 };
        const gateway = new Gateway('keyless', { spool: { encryption } });
        await gateway.start({ SPOOL_KEY: 'ab'.repeat(32) });
        await raises('keyless');
        await gateway.end();
        await gateway.start();
        await raises('keyless', 'HoldfastSpoolKeyMissing');
      });

      long('where the hub refuses, cuts, or takes and never settles', async () => {
        const refusing = await openHub({
          rejected: true,
          rejectCondition: 'amqp:link:message-size-exceeded',
        });
        await new Gateway('refused', {}, { hub: refusing }).start();
        const cutting = await openHub({ cutOnTelemetry: true });
        await new Gateway('cut-off', {}, { hub: cutting }).start();
        await raisesAmongOthers('refused', 'HoldfastMessagesRefused');
        await raisesAmongOthers('cut-off', 'HoldfastUplinkFlapping');
      });

      it('where what waits is from hours ago', async () => {
        const late = await openHub({ neverSettle: true });
        const clock = join(folder, 'late-clock');
        const node = ['--import', steppedClock];
        const gateway = new Gateway('late', {}, { hub: late, node, env: { HOLDFAST_TEST_CLOCK: clock } });
        writeFileSync(clock, `0 ${-7_200_000}`);
        await gateway.start();
        await gateway.keeps(3);
        await gateway.end();
        // Its clock is put right, and offline it had been wrong.
        appendFileSync(clock, `\n${Date.now()} 0`);
        await gateway.start();
        await raises('late', 'HoldfastBacklogStuck');
      });

      it('where the day has no more units', async () => {
        await new Gateway('capped', { uplink: { caps: { messagesPerDay: 10, liveReserve: 0 } } }).start();
        await raises('capped', 'HoldfastDayCapNear');
      });

      it('where the clock was never set', async () => {
        const clock = join(folder, 'clock');
        writeFileSync(clock, `0 ${-Date.now()}`);
        const node = ['--import', steppedClock];
        await new Gateway('unset', {}, { node, env: { HOLDFAST_TEST_CLOCK: clock } }).start();
        // A clock of 1970 cannot sign in.
        await raises('unset', 'HoldfastClockNotTrusted', 'HoldfastUplinkDown');
      });

      it('where a configuration is refused', async () => {
        const gateway = await new Gateway('refusing').start();
        await raises('refusing');
        gateway.configure({ logLevel: 'loud' });
        await raises('refusing', 'HoldfastConfigRefused');
        gateway.configure({});
        await raises('refusing');
      });

      it('where the module dies again and again', async () => {
        const gateway = new Gateway('crashing');
        for (let crash = 0; crash < 4; crash++) {
          await gateway.start();
          await gateway.end('SIGKILL');
        }
        await gateway.start();
        await raises('crashing', 'HoldfastCrashLoop');
      });

      it('where a rule decides without end', async () => {
        const rule = {
          name: 'greedy',
          inputs: { input: { source: 'press' } },
          // Each value is in a thousand rows.
          query:
            'SELECT temperature, COUNT(*) AS n INTO output FROM input GROUP BY temperature, HoppingWindow(millisecond, 1000, 1)',
          outputs: ['upstream'],
        };
        const own = await openPlant(100);
        await new Gateway('greedy', { sources: [press(own)], rules: [rule] }).start();
        await raises('greedy', 'HoldfastRuleHalted');
      });

      it('where nobody is at home', async () => {
        const gateway = await new Gateway('dead').start();
        await raises('dead');
        await gateway.end('SIGKILL');
        await raises('dead', 'HoldfastDown');
      });
    });

    describe('of a detector, is raised', () => {
      it('where a stream says nothing, while its device does', async () => {
        await eventually(async () => (await detector.streams()).length === 2);
        await raises('cloud');
        boiler.setFaults({ unreachable: true });
        await raises('cloud', 'HoldfastStreamSilent');
        boiler.setFaults({ unreachable: false });
        await raises('cloud');
      });

      it('where gaps are found, and their module cannot be called', async () => {
        await far.setFaults({ rest: { status: 404 }, ackAndLose: { next: 2 } });
        await ageGaps();
        await raises('cloud', 'HoldfastGapsStayOpen', 'HoldfastModulesUnreachable');
        await far.clearFaults();
        await raises('cloud');
      });

      long('where what is asked for never arrives', async () => {
        // The gap stays until it is seen, and what is asked for from then on is lost as well.
        await far.setFaults({ rest: { status: 404 }, ackAndLose: { next: 3, batchId: 'press' } });
        await ageGaps();
        await raises('cloud', 'HoldfastGapsStayOpen', 'HoldfastModulesUnreachable');
        await far.setFaults({ rest: null, ackAndLose: { probability: 1, batchId: 'press' } });
        await raisesAmongOthers('cloud', 'HoldfastRangeAbandoned');
        await far.clearFaults();
      });

      it('where messages come that no module can have sent', async () => {
        const client = await moduleClient(far, far.deviceConnectionString('stranger', 'holdfast'));
        await client.open();
        await client.sendEvent(telemetry('{}', { batchId: 'other' }));
        await client.close();
        await raisesAmongOthers('cloud', 'HoldfastMessagesSetAside');
      });

      it('where a device says nothing', async () => {
        await gateway.end('SIGKILL');
        await raisesAmongOthers('cloud', 'HoldfastDeviceSilent');
      });

      long('where it takes nothing in for minutes', async () => {
        await raisesAmongOthers('blocked', 'HoldfastIngestBehind');
      });

      long('where its database is gone, and where it is gone itself', async () => {
        await stopPostgres();
        await raisesAmongOthers('cloud', 'HoldfastDetectorFailing');
        await detector.kill();
        await raisesAmongOthers('cloud', 'HoldfastDetectorDown');
      });
    });

    it('is not raised where nothing is wrong', async () => {
      await raises('healthy');
      expect((await healthy.status()).spool.damaged).toBe(0);
    });

    long('was raised once at least', () => {
      const all = alertRules().groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
      // Memory is full of readings only after minutes of a load that no test should make.
      expect([...raised, 'HoldfastReadingsDropped'].sort()).toEqual(all.sort());
    });
  },
);

/** Changes bytes in the middle of the write-ahead log. */
function spoil(data: string): void {
  const files = readdirSync(data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.filter((path) => /\/wal\//.test(path))) {
    const bytes = readFileSync(file);
    // Behind their end logs have room.
    const middle = Math.floor(bytes.findLastIndex((byte) => byte !== 0) / 2);
    if (middle > 0) writeFileSync(file, bytes.fill(0x5a, middle, middle + 64));
  }
}
