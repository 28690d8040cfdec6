// One simulated world from one seed: gateways, hub, detectors, and what befalls them. It runs, is healed, and must then
// close its ledger within a stated time.
import type { Database } from '../../../cloud-lite/database/database.ts';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import { backlogMs, befallModule, type ModuleParts } from './befall-module.ts';
import { Detectors } from './detectors.ts';
import { drawSite } from './draw-site.ts';
import type { EquipmentPlan } from './equipment.ts';
import { drawFaults, drawNewer, drawRare, type Fault, type WorldShape } from './faults.ts';
import { Hub } from './hub.ts';
import { Judge } from './judge.ts';
import type { Ledger } from './ledger.ts';
import { type Meetings, meet, type State } from './meetings.ts';
import { ModelDetector } from './model-detector.ts';
import { noFault, type Seams } from './seams.ts';
import { befallMachine, expireAtTheEdge, healSite, type Site, statesOf, troublesOf } from './site.ts';
import { Trace } from './trace.ts';
import { changeOf, revertAfterMs } from './twin.ts';
import type { Finding, StreamAccount } from './verdicts.ts';
import { type WallClock, WorldTime } from './world-time.ts';

export interface RunOptions {
  readonly seed: number;
  /** Empty, with the schema, for the real detectors. Default: a model of a detector. */
  readonly database?: Database | undefined;
  /** Instead of those of the seed. */
  readonly faults?: readonly Fault[];
  /** Beside those. */
  readonly also?: readonly Fault[] | undefined;
  /** As worlds were before there were late readings, sealed spools, parts and large sites: for seeds of that time. */
  readonly isPlain?: boolean;
  /** As worlds were before equipment was in doubt, disks took their time, spools paused sources and sources were changed. */
  readonly isEarly?: boolean;
  /** What all equipment is, whatever the seed says. */
  readonly equipment?: Partial<EquipmentPlan> | undefined;
  /** How long spools keep what is not sent, whatever the seed says. */
  readonly unsentMs?: number | undefined;
  readonly seams?: Seams;
  /** Lines of the trace that are kept. */
  readonly keep?: number;
  readonly log?: Log;
}

export interface RunResult {
  readonly seed: number;
  readonly findings: readonly Finding[];
  readonly faults: readonly Fault[];
  readonly hash: string;
  readonly trace: readonly string[];
  readonly virtualMs: number;
  readonly readings: number;
  readonly voids: number;
  /** What rules decided, and had done. */
  readonly verdicts: number;
  readonly actions: number;
  readonly crashes: number;
  readonly gapsRepaired: number;
  /** Which fault met which state. */
  readonly meetings: Meetings;
}

/** Once nothing is broken any more, the ledger is closed within this. */
export const closeLimitMs = 2_400_000;
/** How far live data may be behind, then and once nothing has troubled a gateway for so long. */
const behindLimitMs = 120_000;
const calmMs = 180_000;
/** The same, while a backlog goes up beside it. */
const backlogLimitMs = 60_000;
/** A module keeps more finished jobs than this. */
const maxTaken = 200;
const startWall = Date.UTC(2026, 10, 21);

export function runWorld(options: RunOptions): Promise<RunResult> {
  return new World(options).run();
}

class World {
  readonly #options: RunOptions;
  readonly #random: Random;
  readonly #parts: ModuleParts;
  /** For what was added later: what is drawn of `#random` stays what it was. */
  readonly #more: Random;
  /** The same again, for what was added later still. */
  readonly #newer: Random;
  readonly #isEarly: boolean;
  readonly #time = new WorldTime(startWall);
  readonly #trace: Trace;
  readonly #hub: Hub;
  readonly #judge: Judge;
  readonly #sites: Site[] = [];
  readonly #ledger: Ledger;
  /** By name, what is wrong with its clock. */
  readonly #detectorClocks: ReadonlyMap<string, WallClock>;
  readonly #shape: WorldShape;
  readonly #faults: readonly Fault[];
  /** Devices whose wall clock was wrong. */
  readonly #clocksWereSet = new Set<string>();
  #crashes = 0;
  readonly #meetings: Record<string, number> = {};
  /** Until when, by elapsed time, a detector is down. */
  #detectorDownTo = 0;
  #isRepairing = false;

  constructor(options: RunOptions) {
    const { seed, database, seams = noFault, keep = 0 } = options;
    this.#options = options;
    this.#random = seededRandom(seed);
    this.#more = seededRandom(seed * 17 + 3);
    this.#newer = seededRandom(seed * 29 + 11);
    this.#isEarly = options.isEarly ?? options.isPlain ?? false;
    this.#trace = new Trace(this.#time, keep);
    this.#hub = new Hub(this.#time, this.#trace);
    const crashed = () => {
      this.#crashes += 1;
    };
    this.#parts = { time: this.#time, hub: this.#hub, crashed };
    // In one world of two the first messages of all are lost: streams then begin before what the cloud has of them.
    this.#hub.loses = seed % 2 === 0 ? 1 + (seed % 7) : 0;
    this.#judge = new Judge(this.#time, this.#hub, (deviceId) => this.#clocksWereSet.has(deviceId));
    this.#shape = this.#drawShape();
    for (const [n, sources] of this.#shape.gateways.entries())
      this.#sites.push(this.#makeSite(n, sources, seams));
    const parts = { hub: this.#hub, time: this.#time, trace: this.#trace, seams, seed: seed * 13 + 5 };
    this.#ledger = database === undefined ? new ModelDetector(parts) : new Detectors({ ...parts, database });
    this.#detectorClocks = new Map(
      this.#shape.detectorClocks.map((offsetMs, n) => [`detector-${n}`, { offsetMs }]),
    );
    const old = [...drawFaults(this.#random, this.#shape), ...drawRare(this.#more, this.#shape)];
    const drawn = this.#isEarly ? old : [...old, ...drawNewer(this.#newer, this.#shape)];
    this.#faults = [...(options.faults ?? drawn), ...(options.also ?? [])].sort((a, b) => a.at - b.at);
    this.#hub.onEvent = (event) => this.#judge.hear(event);
    this.#hub.onTaken = (deviceId, message) => this.#judge.noteSent(deviceId, message);
    this.#hub.onCall = (...call) => this.#judge.hearCall(...call, this.#detectorsUpMs());
    this.#hub.onAction = (deviceId, message) => this.#judge.act(deviceId, message);
  }

  async run(): Promise<RunResult> {
    this.#startDetectors();
    for (const { gateway } of this.#sites) gateway.start();
    for (const fault of this.#faults) this.#time.setTimer(fault.at, () => void this.#befall(fault));
    await this.#watch(this.#shape.durationMs);
    this.#heal();
    await this.#comeToRest();
    await this.#askForTaken();
    const { gaps } = await this.#ledger.count();
    return {
      seed: this.#options.seed,
      findings: this.#judge.findings,
      faults: this.#faults,
      hash: this.#trace.digest(),
      trace: this.#trace.lines,
      virtualMs: this.#time.elapsed,
      readings: this.#judge.readings,
      voids: this.#judge.voids,
      verdicts: this.#judge.verdicts,
      actions: this.#judge.actions,
      crashes: this.#crashes,
      gapsRepaired: gaps,
      meetings: this.#meetings,
    };
  }

  #drawShape(): WorldShape {
    const [random, more] = [this.#random, this.#more];
    const few = Array.from({ length: 1 + randomInt(random, 2) }, () => 1 + randomInt(random, 3));
    const isLarge = !this.#options.isPlain && more.next() < 0.02;
    const many = Array.from({ length: 3 + randomInt(more, 3) }, () => 1 + randomInt(more, 10));
    return {
      gateways: isLarge ? many : few,
      // The second one's clock is wrong by up to a minute.
      detectorClocks: random.next() < 0.5 ? [0] : [0, randomInt(random, 120_000) - 60_000],
      durationMs: 300_000 + randomInt(random, 900_000),
    };
  }

  #makeSite(n: number, sources: number, seams: Seams): Site {
    const { isPlain = false, equipment, unsentMs, log = silentLog } = this.#options;
    const [random, more, newer] = [this.#random, this.#more, this.#newer];
    const draws = { random, more, newer, isPlain, isEarly: this.#isEarly };
    const parts = { hub: this.#hub, time: this.#time, trace: this.#trace, seams, log };
    const site = drawSite({ deviceId: `gateway-${n}`, sources, equipment, unsentMs }, draws, parts);
    for (const each of site.equipment) this.#judge.follow(site.gateway, each, site.isTight);
    return site;
  }

  /** A disk that lost its power takes the machine with it: it starts again after a while. */
  async #watch(ms: number): Promise<void> {
    const until = this.#time.elapsed + ms;
    while (this.#time.elapsed < until) {
      await this.#time.run(Math.min(1000, until - this.#time.elapsed));
      this.#isRepairing = this.#ledger.isRepairing;
      for (const { gateway } of this.#sites) {
        if (gateway.failure !== undefined) {
          this.#judge.find('crashed', gateway.deviceId, String(gateway.failure));
          gateway.failure = undefined;
        }
        if (!gateway.isRunning || gateway.isPowered) continue;
        this.#crashes += 1;
        await gateway.cutPower();
        this.#time.setTimer(5000, () => gateway.start());
      }
      for (const site of this.#sites) this.#look(site);
    }
  }

  /** While it runs: nothing grows without bound, and where nothing is wrong live data comes. */
  #look(site: Site): void {
    const { gateway } = site;
    this.#judge.weigh(gateway);
    const isWell = troublesOf(site, this.#hub).length === 0 && !this.#clocksWereSet.has(gateway.deviceId);
    if (!isWell) site.troubledAt = this.#time.elapsed;
    // What was new did not work in its time, for another reason, and is taken back.
    if (!isWell && this.#time.elapsed - site.movedAt < 2 * revertAfterMs) site.isAstray = true;
    if (this.#time.elapsed - site.troubledAt > calmMs)
      this.#judge.lookForLive(gateway.deviceId, behindLimitMs);
    const sinceMs = this.#time.elapsed - (site.backlogAt ?? Number.POSITIVE_INFINITY);
    const isBacklog = sinceMs > backlogLimitMs && sinceMs < backlogMs;
    // What comes late goes up one by one, and may be more than the hub takes; a source waits for room that a backlog has yet to give.
    const { roomBytes = Number.POSITIVE_INFINITY, mostUnsentBytes } = site.gateway;
    const hasRoom = mostUnsentBytes < roomBytes / 2;
    const isCalm = isWell && hasRoom && this.#time.elapsed - site.troubledAt > backlogLimitMs;
    if (isCalm && isBacklog && site.equipment.every(({ plan }) => plan.late === undefined))
      this.#judge.lookForLive(gateway.deviceId, backlogLimitMs);
  }

  #detectorsUpMs(): number {
    return this.#time.elapsed - this.#detectorDownTo;
  }

  async #befall(fault: Fault): Promise<void> {
    this.#trace.note('fault', JSON.stringify(fault));
    meet(this.#meetings, fault, this.#statesOf(fault));
    const site = 'gateway' in fault ? this.#sites[fault.gateway] : undefined;
    if (site !== undefined) await befallModule(fault, site, this.#parts);
    if (site !== undefined) {
      const lastsMs = 'forMs' in fault ? fault.forMs : 60_000;
      // What does not work is taken back sooner.
      const most = fault.kind === 'refit' ? 2 * revertAfterMs : Number.POSITIVE_INFINITY;
      site.troubledAt = this.#time.elapsed + Math.min(most, lastsMs);
      if (fault.kind === 'clock' || fault.kind === 'boot-1970')
        this.#clocksWereSet.add(site.gateway.deviceId);
    }
    if (site !== undefined) befallMachine(fault, site, this.#time);
    this.#befallCloud(fault, site);
  }

  /** Of edgeHub, the hub and its detectors. */
  #befallCloud(fault: Fault, site: Site | undefined): void {
    const later = (ms: number, work: () => void) => this.#time.setTimer(ms, work);
    switch (fault.kind) {
      case 'lose':
        this.#hub.loses += fault.count;
        return;
      case 'repeat':
        this.#hub.repeats += fault.count;
        return;
      case 'lose-calls':
        this.#hub.losesCalls += fault.count;
        return;
      case 'lose-answers':
        this.#hub.losesAnswers += fault.count;
        return;
      case 'delay':
        this.#hub.delays = { count: fault.count, byMs: fault.byMs };
        return;
      case 'upstream':
        site?.edgeHub?.upstream.set('down');
        later(fault.forMs, () => site?.edgeHub?.upstream.set('up'));
        return;
      case 'edge-expires':
        if (site?.edgeHub !== undefined) expireAtTheEdge(site.edgeHub, fault.forMs, this.#time);
        return;
      case 'edge-loses':
        site?.edgeHub?.lose();
        return;
      case 'shorten':
        this.#noteDetectorDown(fault.forMs);
        for (const name of this.#detectorClocks.keys()) this.#ledger.kill(name, 0);
        later(fault.forMs, () => {
          this.#hub.shorten(this.#time.wall - fault.forMs / 3);
          this.#startDetectors();
        });
        return;
      case 'remake':
        this.#hub.remake();
        return;
      case 'move':
        this.#hub.move(site!.gateway.deviceId);
        return;
      case 'reload':
        this.#hub.desire(site!.gateway.deviceId, changeOf(fault.choice));
        return;
      case 'kill-detector': {
        const [name, clock] = [...this.#detectorClocks][fault.detector]!;
        this.#noteDetectorDown(fault.forMs);
        this.#ledger.kill(name, fault.statements);
        later(fault.forMs, () => this.#ledger.start(name, clock));
        return;
      }
    }
  }

  #heal(): void {
    this.#trace.note('fault', 'all is healed');
    const none = { count: 0, byMs: 0 };
    Object.assign(this.#hub, { loses: 0, repeats: 0, losesCalls: 0, losesAnswers: 0, delays: none });
    for (const site of this.#sites) healSite(site, this.#hub);
    this.#startDetectors();
  }

  #startDetectors(): void {
    for (const [name, clock] of this.#detectorClocks) this.#ledger.start(name, clock);
  }

  #noteDetectorDown(forMs: number): void {
    this.#detectorDownTo = Math.max(this.#detectorDownTo, this.#time.elapsed + forMs);
  }

  /** Of the gateway that is befallen; of all where it is none in particular. */
  #statesOf(fault: Fault): readonly State[] {
    const sites = 'gateway' in fault ? [this.#sites[fault.gateway]!] : this.#sites;
    return [
      ...statesOf(sites),
      ...(this.#isRepairing ? (['repairing'] as const) : []),
      ...(this.#detectorDownTo > this.#time.elapsed ? (['detector down'] as const) : []),
    ];
  }

  /** Waits until the ledger is closed, and judges it. */
  async #comeToRest(): Promise<void> {
    const healedAt = this.#time.elapsed;
    const limit = healedAt + closeLimitMs;
    for (;;) {
      await this.#watch(30_000);
      // Faults that were begun late mend themselves later.
      if (this.#time.elapsed < healedAt + 240_000) continue;
      const accounts = await this.#ledger.accounts();
      if ((await this.#ledger.count()).open === 0) {
        this.#judgeAll(accounts);
        return;
      }
      if (this.#time.elapsed < limit) continue;
      for (const [name, { missing }] of accounts)
        if (missing.length > 0)
          this.#judge.find('not-closed', name, `missing ${JSON.stringify(missing.slice(0, 3))}`);
      if (this.#judge.findings.length === 0) this.#judge.find('not-closed', '', 'requests are open');
      return;
    }
  }

  /** What a module has taken on it knows, whatever befell it since. */
  async #askForTaken(): Promise<void> {
    for (const { gateway } of this.#sites) {
      const taken = [...(this.#hub.taken.get(gateway.deviceId) ?? [])].slice(-maxTaken);
      for (const [requestId, at] of taken) {
        let answer: { readonly status: number } | undefined;
        // A process that hangs never answers, and its time must go on for those that wait for their disk.
        void this.#hub
          .device(gateway.deviceId)
          .events?.method('getBackfill', { requestId })
          .then((given) => {
            answer = given;
          });
        await this.#time.run(1000, () => answer !== undefined);
        if (answer?.status === 404) this.#judge.hearForgotten(gateway, requestId, at);
      }
    }
  }

  #judgeAll(accounts: ReadonlyMap<string, StreamAccount>): void {
    this.#judge.closeRules(accounts);
    for (const name of this.#judge.streams) {
      const account = accounts.get(name);
      if (account === undefined) {
        // All that was sent may have been of a future that the gateway's clock showed, and be set aside.
        if (!this.#clocksWereSet.has(name.split('/')[0]!))
          this.#judge.find('behind', name, 'nothing ever arrived');
        continue;
      }
      this.#judge.close(name, account);
      const equipment = this.#judge.equipmentOf(name);
      const end = account.covered.at(-1)?.end ?? 0;
      const { index, periodMs } = equipment.plan;
      const behindMs = index === 'time' ? this.#time.wall - end : (equipment.samples.length - end) * periodMs;
      if (behindMs > behindLimitMs && !this.#clocksWereSet.has(name.split('/')[0]!))
        this.#judge.find('behind', name, `${Math.round(behindMs / 1000)} s`);
    }
  }
}
