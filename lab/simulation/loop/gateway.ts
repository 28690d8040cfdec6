// A gateway: a machine with a disk and a wall clock, on which one process of the module after the other lives.
// What the module loads when it needs it is loaded by then: meanwhile the world's time would go on, by as much as the machine is slow.
import '../../../runtime/rules/check-queries.ts';
import '../../../runtime/rules/compile-rule.ts';
import type { Boot } from '../../../kernel/boot.ts';
import { sleep } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { type Random, seededRandom } from '../../../kernel/random.ts';
import { type ComposedModule, composeModule } from '../../../runtime/compose.ts';
import { validateConfig } from '../../../runtime/config/load.ts';
import type { Config } from '../../../runtime/config/schema.ts';
import type { Source } from '../../../runtime/sources/source.ts';
import { missingKeys, noteKey } from '../../../runtime/spool/encryption/key-record.ts';
import { isDiskTrouble } from '../../../runtime/spool/engine/disk.ts';
import type { Store } from '../../../runtime/spool/engine/store.ts';
import type { RecordCodec } from '../../../runtime/spool/format/record.ts';
import { openSpool } from '../../../runtime/spool/spool.ts';
import { createIotEdgeUplink } from '../../../runtime/uplink/edge-uplink.ts';
import type { Window } from '../../../wire/window.ts';
import { EngineDisk, limitsFor } from '../simulated-disk.ts';
import { EquipmentSource } from './equipment-source.ts';
import type { GatewayOptions } from './gateway-options.ts';
import { HubClient } from './hub-client.ts';
import { KeyRing } from './key-ring.ts';
import { type Life, ofLife } from './life.ts';
import { StoreWatch } from './store-watch.ts';
import { type Noted, watchedSpool, withMaxBytes } from './watched-spool.ts';
import { ProcessClock, type WallClock } from './world-time.ts';

const openAgainMs = 1000;

/** What was sent keeps so much of the room. */
export const archiveBytesOf = (roomBytes: number) => roomBytes / 4;

export class Gateway {
  readonly wall: WallClock = { offsetMs: 0 };
  readonly deviceId: string;
  readonly #options: GatewayOptions;
  readonly #random: Random;
  readonly #keys: KeyRing;
  #client: HubClient | undefined;
  #disk: EngineDisk;
  #boot: Boot;
  #life: Life | undefined;
  #startedAt = 0;
  /** Kept outside of the store. */
  #kept: Config | undefined;
  /** What made a process end that nobody ended. */
  failure: unknown;
  /** What was stored until then, by elapsed time, may be gone for good: its key was lost, or bits of it turned. */
  lostStorageAt = Number.NEGATIVE_INFINITY;
  /** Until when, by elapsed time, each operation of the disk takes so long. */
  #slow = { untilMs: 0, opMs: 0 };
  /** Operations of the disks of the starts to come, after which the power goes. */
  #cutsToCome: number[] = [];
  /** The next start finds a last good configuration that a newer version wrote. */
  #isDowngraded = false;
  readonly #noted: Noted = { fromHistory: new Set(), outcomes: new Set() };
  readonly #watch: StoreWatch;
  /** What this process found damaged of its store. */
  #damage: string | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.deviceId = options.deviceId;
    this.#random = seededRandom(options.seed);
    this.#watch = new StoreWatch(options.time);
    this.#keys = new KeyRing(seededRandom(options.seed + 1), options.isSealed ?? false);
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

  /** What is bounded, as it is now. */
  get load() {
    const { messages = 0, actions = 0, bytes = 0 } = this.#client?.inFlight ?? {};
    const { wal, values } = this.#disk;
    return { messages, actions, bytes, walBytes: wal.bytes, valueBytes: values.bytes };
  }

  /** Each checkpoint of the log names them all. */
  get valueSegments(): number {
    return this.#disk.values.count;
  }

  get roomBytes(): number | undefined {
    return this.#options.spoolBytes;
  }

  /** Nothing unsent goes for want of room. */
  get holdsBack(): boolean {
    return this.#options.holdsBack ?? false;
  }

  /** The most that ever waited to be sent, about as the spool counts it. */
  get mostUnsentBytes(): number {
    return this.#watch.mostUnsentBytes;
  }

  /** Bytes of messages that were stored since then, elapsed ms of the world, about as the spool counts them. */
  storedSince(at: number): number {
    return this.#watch.storedSince(at);
  }

  /** What was written to the disk that must not be, in words. */
  get diskFaults(): readonly string[] {
    return this.#watch.faults;
  }

  /** The outcome of the action is on the disk. */
  hasOutcome(actionId: string): boolean {
    return this.#noted.outcomes.has(actionId);
  }

  get unsentMs(): number | undefined {
    return this.#options.unsentMs;
  }

  /** Whether the window was read again from the equipment's memory, and so holds what was told late, too. */
  isFromHistory(batchId: string, { start, end }: Window): boolean {
    return this.#noted.fromHistory.has(`${batchId} ${start}-${end}`);
  }

  /** Starts a process. What it does goes on by itself. */
  start(): void {
    if (this.#life !== undefined) return;
    const { time, trace } = this.#options;
    const clock = new ProcessClock(time, this.wall);
    this.#startedAt = time.elapsed;
    const life: Life = { clock, abort: new AbortController(), module: undefined, isOver: false };
    this.#life = life;
    const cut = this.#cutsToCome.shift();
    if (cut !== undefined) this.planPowerCut(cut);
    this.#heedSlowness();
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

  /** The power goes after so many operations, and again so early in each of the starts that follow. */
  planPowerCuts([first, ...later]: readonly number[]): void {
    this.#cutsToCome = [...later];
    if (first !== undefined) this.planPowerCut(first);
  }

  slowDisk(opMs: number, forMs: number): void {
    this.#slow = { opMs, untilMs: this.#options.time.elapsed + forMs };
    this.#heedSlowness();
  }

  /** While no process runs: bits on the disk turn. */
  flipBits(count: number): void {
    this.#options.trace.note(this.deviceId, `${count} bits of the disk turn`);
    this.#disk.flipBits(count);
    this.lostStorageAt = this.#options.time.elapsed;
  }

  /** While no process runs: the next one is given other keys. `isLost`: and none of those before. */
  changeKeys(isLost: boolean): void {
    this.#options.trace.note(this.deviceId, isLost ? 'loses its keys' : 'has a new key');
    this.#keys.change(isLost);
  }

  /** While no process runs: the next one is of another version. What it stores differs by the engine's sizes. */
  async upgrade(choice: number, isDowngrade: boolean): Promise<void> {
    this.#options.trace.note(this.deviceId, `becomes version ${choice}`);
    this.#replaceDisk(await this.#disk.restarted(limitsFor(choice)));
    this.#isDowngraded = isDowngrade;
  }

  #heedSlowness(): void {
    const { time } = this.#options;
    const { supply } = this.#disk;
    const { diskMs = 0 } = this.#options;
    supply.pause = async () => {
      const opMs = time.elapsed < this.#slow.untilMs ? this.#slow.opMs : diskMs;
      if (opMs > 0 && !supply.isDead) await time.sleep(opMs);
    };
    if (this.#slow.untilMs <= time.elapsed && diskMs === 0) supply.pause = undefined;
  }

  refuse(atOperation: number, code: 'ENOSPC' | 'EIO', count: number): void {
    this.#options.trace.note(this.deviceId, `disk will refuse ${count} operations with ${code}`);
    this.#disk.supply.planFault({ atOperation, code, count });
  }

  /** Until what was planned is refused, once it began: tries are up to 5 s apart. */
  get isDiskRefusing(): boolean {
    return this.#disk.supply.isRefusing;
  }

  mendDisk(): void {
    this.slowDisk(0, 0);
    this.planPowerCuts([]);
    this.#disk.supply.endFault();
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

  async #end(what: string, next: (disk: EngineDisk) => Promise<EngineDisk>): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    this.#options.trace.note(this.deviceId, what);
    this.#life = undefined;
    life.isOver = true;
    life.clock.end();
    this.#disk.supply.cut();
    // Its connection ends with it, also one that was being made: else the hub would go on calling a process that is dead.
    this.#client?.discard();
    this.#options.hub.device(this.deviceId).events = undefined;
    this.#replaceDisk(await next(this.#disk));
  }

  #replaceDisk(next: EngineDisk): void {
    next.supply.goOnFrom(this.#disk.supply);
    this.#disk = next;
    this.#heedSlowness();
  }

  #newBoot(): Boot {
    const { time } = this.#options;
    const bootedAt = time.elapsed;
    return { id: this.#random.uuid(), sinceStartMs: () => time.elapsed - bootedAt };
  }

  #compose(life: Life): Promise<ComposedModule> {
    const { equipment, hub, seams, spoolBytes, unsentMs, messageBytes, log = silentLog } = this.#options;
    const { holdsBack } = this;
    const retention = {
      ...(spoolBytes !== undefined && { maxBytes: spoolBytes, archiveBytes: archiveBytesOf(spoolBytes) }),
      ...(unsentMs !== undefined && { unsentMs }),
      ...(holdsBack && { policy: 'backpressure' as const }),
      intervalMs: 5000,
    };
    const { clock } = life;
    const disk = this.#disk;
    const random = seededRandom(Math.floor(this.#random.next() * 2 ** 32));
    const codec = this.#keys.codec();
    const isDowngraded = this.#isDowngraded;
    this.#isDowngraded = false;
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
      keys: { codec },
      onLogLevel: () => {},
      openSpool: async (of) =>
        watchedSpool(
          seams.opened(
            await openSpool(
              seams.spool(
                {
                  ...of,
                  folder: '/simulated',
                  random,
                  store: () => this.#open(disk, life, codec),
                  storeDamage: () => this.#damage,
                  freeBytes: async () => 2 ** 34,
                  ...((spoolBytes ?? unsentMs) !== undefined && { retention }),
                  ...(messageBytes !== undefined && { encode: withMaxBytes(of.encode, messageBytes) }),
                },
                clock,
              ),
            ),
          ),
          this.#noted,
          isDowngraded,
        ),
      makeAdapters: () => (of, parts) => {
        const found = equipment.find(({ plan }) => plan.name === of.name)!;
        const isThere = () => 'host' in of && of.host === found.host;
        return seams.source(new EquipmentSource(found, clock, parts, isThere) as Source);
      },
      connect: ({ sendTimeoutMs }) =>
        createIotEdgeUplink({
          identity: { kind: 'iot-edge' },
          limits: { sendTimeoutMs },
          clock,
          random,
          log: log.child({ part: 'uplink' }),
          metrics: noMetrics,
          makeClient: async (events) => {
            this.#client = new HubClient(hub, this.deviceId, ofLife(events, life));
            return seams.client(this.#client);
          },
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
  async #open(disk: EngineDisk, life: Life, codec: RecordCodec): Promise<Store> {
    try {
      return await this.#ownStore(disk, life, codec);
    } catch (error) {
      if (life.isOver || disk.supply.isDead || !isDiskTrouble(error)) throw error;
      await sleep(life.clock, openAgainMs);
      // What began anew meanwhile goes on.
      const next = await this.#disk.restarted();
      if (life.isOver) return new Promise<never>(() => {});
      this.#replaceDisk(next);
      return this.#open(next, life, codec);
    }
  }

  /** A store whose keys are lost is set aside, or one that turns out damaged. */
  async #ownStore(disk: EngineDisk, life: Life, codec: RecordCodec): Promise<Store> {
    this.#damage = undefined;
    let store = await disk.open().catch((error) => {
      if (!disk.isDamaged || isDiskTrouble(error)) throw error;
      return this.#begunAnew(String(error));
    });
    this.#damage ??= disk.problem;
    const missing = await missingKeys(store, codec);
    if (missing.length > 0) store = await this.#begunAnew(`no key ${missing.join(', ')}`);
    await noteKey(store, codec);
    const watched = this.#watch.over(store, codec.keyId);
    return life.isOver ? new Promise<never>(() => {}) : this.#options.seams.store(watched);
  }

  /** What cannot be read is set aside whole, though a salvage would find some of it. */
  #begunAnew(why: string): Promise<Store> {
    this.#damage = why;
    this.#options.trace.note(this.deviceId, `begins a new store: ${why}`);
    this.lostStorageAt = this.#options.time.elapsed;
    this.#watch.forget();
    this.#replaceDisk(new EngineDisk(this.#random, limitsFor(this.#options.seed)));
    return this.#disk.open();
  }
}
