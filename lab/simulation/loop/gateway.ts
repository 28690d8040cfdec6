// A gateway: a machine with a disk and a wall clock, on which one process of the module after the other lives.
import type { Boot } from '../../../kernel/boot.ts';
import { sleep } from '../../../kernel/clock.ts';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { type Random, seededRandom } from '../../../kernel/random.ts';
import { type ComposedModule, composeModule } from '../../../runtime/compose.ts';
import { validateConfig } from '../../../runtime/config/load.ts';
import type { Config } from '../../../runtime/config/schema.ts';
import type { Source } from '../../../runtime/sources/source.ts';
import { isDiskTrouble } from '../../../runtime/spool/engine/disk.ts';
import type { Store } from '../../../runtime/spool/engine/store.ts';
import { plainCodec } from '../../../runtime/spool/format/record.ts';
import { openSpool } from '../../../runtime/spool/spool.ts';
import { createIotEdgeUplink } from '../../../runtime/uplink/edge-uplink.ts';
import { EngineDisk, limitsFor, type SimulatedDisk } from '../simulated-disk.ts';
import type { Equipment } from './equipment.ts';
import { EquipmentSource } from './equipment-source.ts';
import type { Hub } from './hub.ts';
import { HubClient } from './hub-client.ts';
import { hasRule } from './judge.ts';
import type { Link } from './link.ts';
import { ruleOver } from './rule-judge.ts';
import type { Seams } from './seams.ts';
import type { Trace } from './trace.ts';
import { ProcessClock, type WallClock, type WorldTime } from './world-time.ts';

export interface GatewayOptions {
  readonly deviceId: string;
  readonly equipment: readonly Equipment[];
  readonly link: Link;
  readonly hub: Hub;
  readonly time: WorldTime;
  readonly trace: Trace;
  readonly seed: number;
  readonly seams: Seams;
  /** Room for all that is stored. Absent: as much as is needed. */
  readonly spoolBytes?: number | undefined;
  readonly log?: Log;
}

const openAgainMs = 1000;

interface Life {
  readonly clock: ProcessClock;
  readonly abort: AbortController;
  module: ComposedModule | undefined;
  isOver: boolean;
}

export class Gateway {
  readonly wall: WallClock = { offsetMs: 0 };
  readonly deviceId: string;
  readonly #options: GatewayOptions;
  readonly #random: Random;
  #disk: SimulatedDisk;
  #boot: Boot;
  #life: Life | undefined;
  #startedAt = 0;
  /** Kept outside of the store. */
  #kept: Config | undefined;
  /** What made a process end that nobody ended. */
  failure: unknown;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.deviceId = options.deviceId;
    this.#random = seededRandom(options.seed);
    this.#disk = new EngineDisk(this.#random, limitsFor(options.seed));
    this.#boot = this.#newBoot();
  }

  get isRunning(): boolean {
    return this.#life !== undefined;
  }

  /** Since its process was started. */
  get upMs(): number {
    return this.#options.time.elapsed - this.#startedAt;
  }

  get isPowered(): boolean {
    return !this.#disk.supply.isDead;
  }

  get diskOperations(): number {
    return this.#disk.supply.operations;
  }

  /** Starts a process. What it does goes on by itself. */
  start(): void {
    if (this.#life !== undefined) return;
    const { time, trace } = this.#options;
    const clock = new ProcessClock(time, this.wall);
    this.#startedAt = time.elapsed;
    const life: Life = { clock, abort: new AbortController(), module: undefined, isOver: false };
    this.#life = life;
    trace.note(this.deviceId, 'starts');
    this.#compose(life).then(
      (module) => {
        life.module = module;
      },
      (error) => {
        if (!life.isOver) this.failure ??= error;
      },
    );
  }

  /** As SIGKILL: nothing of the process goes on, and what it wrote is there. */
  async kill(): Promise<void> {
    await this.#end('is killed', (disk) => disk.restarted());
  }

  /** What was not synced may be gone, and the machine starts anew. */
  async cutPower(): Promise<void> {
    await this.#end('loses its power', (disk) => disk.survivor());
    this.#boot = this.#newBoot();
  }

  /** The power goes at the n-th operation of the disk from now. */
  planPowerCut(atOperation: number): void {
    this.#disk.supply.plan({ atOperation });
  }

  refuse(atOperation: number, code: 'ENOSPC' | 'EIO', count: number): void {
    this.#options.trace.note(this.deviceId, `disk will refuse ${count} operations with ${code}`);
    this.#disk.supply.planFault({ atOperation, code, count });
  }

  /** As SIGTERM. Resolves once the process has ended. */
  async stop(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    this.#options.trace.note(this.deviceId, 'is told to stop');
    life.abort.abort(new Error('told to stop'));
    await life.module?.stop();
    if (this.#life === life) await this.#end('has stopped', (disk) => disk.restarted());
  }

  async #end(what: string, next: (disk: SimulatedDisk) => Promise<SimulatedDisk>): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    this.#options.trace.note(this.deviceId, what);
    this.#life = undefined;
    life.isOver = true;
    life.clock.end();
    this.#disk.supply.cut();
    this.#options.hub.device(this.deviceId).events = undefined;
    this.#disk = await next(this.#disk);
  }

  #newBoot(): Boot {
    const { time } = this.#options;
    const bootedAt = time.elapsed;
    return { id: this.#random.uuid(), sinceStartMs: () => time.elapsed - bootedAt };
  }

  #compose(life: Life): Promise<ComposedModule> {
    const { equipment, hub, seams, spoolBytes, log = silentLog } = this.#options;
    const retention = { maxBytes: spoolBytes, archiveBytes: spoolBytes && spoolBytes / 4, intervalMs: 5000 };
    const { clock } = life;
    const disk = this.#disk;
    const random = seededRandom(Math.floor(this.#random.next() * 2 ** 32));
    const settings = this.#kept ?? validateConfig({ sources: [] }, 'defaults');
    return composeModule({
      clock,
      random,
      boot: this.#boot,
      log,
      metrics: noMetrics,
      dataFolder: '/simulated',
      useTwin: true,
      mayWait: true,
      settings,
      keys: { codec: plainCodec },
      onLogLevel: () => {},
      openSpool: async (of) =>
        seams.opened(
          await openSpool(
            seams.spool({
              ...of,
              folder: '/simulated',
              random,
              store: () => this.#open(disk, life),
              freeBytes: async () => 2 ** 34,
              ...(spoolBytes !== undefined && { retention }),
            }),
          ),
        ),
      makeAdapters: () => (of, parts) => {
        const found = equipment.find(({ plan }) => plan.name === of.name);
        return seams.source(new EquipmentSource(found!, clock, parts) as Source);
      },
      connect: ({ sendTimeoutMs }) =>
        createIotEdgeUplink({
          identity: { kind: 'iot-edge' },
          limits: { sendTimeoutMs },
          clock,
          random,
          log: log.child({ part: 'uplink' }),
          metrics: noMetrics,
          makeClient: async (events) => seams.client(new HubClient(hub, this.deviceId, ofLife(events, life))),
          diagnose: async () => 'simulated',
          reach: async () => this.#options.link.state === 'up',
        }),
      noteStart: async () => ({ crashes: 0, pauseMs: 0, stopped: async () => {} }),
      keepForStart: async (_folder, config) => {
        this.#kept = { ...config, sources: [] };
      },
    });
  }

  /** As runtime/spool/repair/open-folder.ts: what a refusing disk did not open is let go of, and opened again. */
  async #openedStore(disk: SimulatedDisk, life: Life): Promise<Store> {
    try {
      return await disk.open();
    } catch (error) {
      if (life.isOver || disk.supply.isDead || !isDiskTrouble(error)) throw error;
      await sleep(life.clock, openAgainMs);
      this.#disk = await disk.restarted();
      return this.#openedStore(this.#disk, life);
    }
  }

  async #open(disk: SimulatedDisk, life: Life): Promise<Store> {
    const store = await this.#openedStore(disk, life);
    return life.isOver ? new Promise<never>(() => {}) : this.#options.seams.store(store);
  }
}

/** A process that is dead hears nothing. */
function ofLife<Events extends object>(events: Events, life: Life): Events {
  return new Proxy(events, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => (life.isOver ? new Promise(() => {}) : member.apply(target, args));
    },
  });
}

/** One of the changes that may be made to the twin while the module runs. */
export function changeOf(choice: number): Record<string, unknown> {
  const changes = [
    { uplink: { body: 'readings/1', gzip: true } },
    { uplink: { body: 'columns/1', gzip: false } },
    { windows: { ageMs: 1000 + choice } },
    { windows: { ageMs: 20_000 + choice, quietMs: 30_000 } },
    { uplink: { caps: { messagesPerSecond: 2 } } },
    { uplink: { caps: null, inFlight: { messages: 1 + (choice % 8) } } },
    // Refused: what runs goes on.
    { windows: { ageMs: -1 } },
  ];
  return changes[choice % changes.length]!;
}

/** The configuration of a gateway as its twin holds it. */
export function desiredOf(equipment: readonly Equipment[]): Record<string, unknown> {
  return {
    sources: equipment.map(({ plan }) => ({
      name: plan.name,
      // Any type will do: what reads it is the simulation's.
      type: 'modbus-tcp',
      host: 'simulated',
      tags: [{ name: 'value', address: 0, type: 'int16' }],
    })),
    rules: equipment.filter(hasRule).map(({ plan }) => ruleOver(plan.name)),
    uplink: { body: 'columns/1', gzip: false, sendTimeoutMs: 10_000 },
    clock: { confirmMs: 0 },
    faultInjection: true,
  };
}
