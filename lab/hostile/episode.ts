// One episode: a piece of equipment, a module that reads it, and what happens to both, from one seed. Bad times and calm
// ones take turns; in a calm one all must come right again. At the end the judge says what was claimed and was not so.

import { noMetrics } from '../../kernel/metrics.ts';
import { settle, VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { Dice } from './dice.ts';
import type { Equipment, MakeEquipment } from './equipment.ts';
import { Account } from './judge/account.ts';
import { Heard, type Judge } from './judge/judge.ts';
import type { Fault } from './judge/verdict.ts';
import { noPlant, type Plant } from './plant.ts';
import { Detector } from './rig/detector.ts';
import { Gateway } from './rig/gateway.ts';
import { RecordingStore } from './rig/recording-store.ts';
import { EpisodeTrace } from './trace.ts';

export interface EpisodeOptions {
  readonly seed: number;
  readonly make: MakeEquipment;
  /** It ends, in calm, after so many exchanges. */
  readonly exchanges: number;
  /** What is put into the module so that it fails. Default: nothing. */
  readonly plant?: Plant;
}

export interface EpisodeResult {
  readonly seed: number;
  readonly kind: string;
  readonly exchanges: number;
  readonly readings: number;
  readonly faults: readonly Fault[];
  /** What happened, the last of it, or around a true time. */
  lines(count: number, at?: number): readonly string[];
}

export async function runEpisode(options: EpisodeOptions): Promise<EpisodeResult> {
  const episode = new Episode(options);
  await episode.run();
  return episode.result();
}

/** Small windows, and little room: what happens to a site in hours happens here in minutes. */
const limits = { ageMs: 4000, quietMs: 9000, maxReadings: 60, commitIntervalMs: 200, maxMemoryBytes: 6000 };
const calmStepMs = 5000;
const leastCalmMs = 10_000;

class Episode {
  readonly #options: EpisodeOptions;
  readonly #clock = new VirtualClock();
  readonly #trace = new EpisodeTrace(() => this.#clock.monotonic());
  readonly #dice: Dice;
  readonly #equipment: Equipment;
  readonly #judge: Judge;
  readonly #account: Account;
  readonly #store: RecordingStore;
  readonly #gateway: Gateway;
  readonly #detector: Detector;
  readonly #stuck: Fault[] = [];
  readonly #site = { isRolledBack: false, ownsPositions: false, comesRound: false, isAgeUnknown: false };
  /** How far this gateway's wall clock was set, at most. */
  #setByMs = 0;

  constructor(options: EpisodeOptions) {
    this.#options = options;
    const { seed, make, plant = noPlant } = options;
    const clock = this.#clock;
    const trace = this.#trace;
    this.#dice = new Dice(seed);
    const heard = new Heard();
    const onFault = ({ kind, what }: Fault) => trace.note('JUDGE', `${kind}: ${what}`);
    const dice = this.#dice.fork();
    const equipment = make({
      site: this.#site,
      clock,
      dice,
      trace,
      heard,
      metrics: noMetrics,
      plant,
      onFault,
    });
    this.#equipment = equipment;
    this.#judge = equipment.judge;
    this.#account = new Account({
      judge: equipment.judge,
      heard,
      trace,
      now: () => clock.monotonic(),
    });
    this.#store = new RecordingStore(clock, {
      onStored: (closed, commit, by) => this.#account.stored(closed, commit, by),
    });
    this.#gateway = new Gateway({
      settings: equipment.settings,
      makeSource: (settings, parts) => {
        const source = equipment.makeSource(settings, parts);
        return plant.source?.(source, this.#dice.fork()) ?? source;
      },
      clock,
      store: this.#store,
      account: this.#account,
      dice: this.#dice.fork(),
      trace,
      limits: { ...limits, ...equipment.limits },
      ...(plant.sink && { sink: (inner) => plant.sink!(inner, this.#dice.fork()) }),
      ...(plant.disk && { disk: plant.disk }),
    });
    this.#detector = new Detector({
      account: this.#account,
      history: () => this.#gateway.history,
      index: () => this.#gateway.index,
      clock,
      dice: this.#dice.fork(),
      trace,
    });
  }

  async run(): Promise<void> {
    this.#keepMoving();
    await this.#gateway.start();
    await this.#calm();
    // What is stuck stays so: there is nothing more to be seen.
    while (this.#equipment.exchanges < this.#options.exchanges && this.#stuck.length === 0) {
      await this.#badTimes();
      await this.#calm();
    }
    await this.#gateway.stop();
    this.#account.send(Number.POSITIVE_INFINITY);
    this.#judge.finish();
  }

  result(): EpisodeResult {
    return {
      seed: this.#options.seed,
      kind: this.#equipment.kind,
      exchanges: this.#equipment.exchanges,
      readings: this.#judge.readings,
      faults: [...this.#judge.faults, ...this.#stuck],
      lines: (count, at) => this.#trace.lines(count, at),
    };
  }

  /** The lane sends, the detector looks. */
  #keepMoving(): void {
    const clock = this.#clock;
    const dice = this.#dice.fork();
    const send = () => {
      this.#account.send(dice.between(0, 4));
      clock.setTimer(dice.between(500, 4000), send);
    };
    const look = () => {
      if (this.#gateway.isRunning) this.#detector.step();
      clock.setTimer(2000, look);
    };
    send();
    look();
  }

  async #badTimes(): Promise<void> {
    const dice = this.#dice;
    this.#trace.note('episode', 'bad times begin');
    this.#equipment.behave(false);
    this.#equipment.behave(true);
    const acts = dice.between(4, 14);
    for (let at = 0; at < acts; at++) {
      await this.#clock.advance(dice.between(500, 15_000));
      if (dice.chance(0.55)) this.#equipment.act();
      else await this.#disturb();
    }
    await this.#clock.advance(dice.between(500, 5000));
  }

  /** Something happens to the gateway. */
  async #disturb(): Promise<void> {
    const dice = this.#dice;
    const gateway = this.#gateway;
    const act = dice.weighted({ kill: 3, rollBack: 1, stop: 1, hold: 2, stall: 2, clock: 2, doubt: 1 });
    const commits = dice.between(1, 60);
    switch (act) {
      case 'kill':
      case 'rollBack': {
        this.#detector.interrupt();
        const isRolledBack = act === 'rollBack' && this.#mayRollBack(commits);
        this.#site.isRolledBack ||= isRolledBack;
        this.#site.isAgeUnknown ||= isRolledBack && this.#setByMs > 30_000;
        await gateway.kill(isRolledBack ? { commits } : undefined);
        return this.#startAgain();
      }
      case 'stop':
        this.#detector.interrupt();
        await gateway.stop();
        return this.#startAgain();
      case 'hold':
        gateway.hold(true);
        await this.#clock.advance(dice.between(200, 8000));
        return gateway.hold(false);
      case 'stall': {
        const [ms, forMs] = [dice.between(1000, 20_000), dice.between(2000, 30_000)];
        this.#trace.note('disk', `takes ${ms} ms for each commit`);
        return this.#store.stall(ms, forMs);
      }
      case 'doubt':
        return gateway.doubt();
      case 'clock': {
        const by = dice.between(10, dice.pick([1500, 20_000, 7_200_000]));
        const ms = dice.pick([-1, 1]) * by;
        if (ms < 0 && this.#site.isRolledBack && gateway.isStampedHere) return;
        this.#setByMs = Math.max(this.#setByMs, Math.abs(ms));
        this.#trace.note('module', `its wall clock is set by ${ms} ms`);
        return this.#clock.stepWall(ms);
      }
    }
  }

  /** A disk that forgot which positions the module gave itself gives them again: nobody could tell. */
  #mayRollBack(commits: number): boolean {
    if (this.#site.ownsPositions || (this.#site.comesRound && !this.#store.hadClaimed(commits))) return false;
    const highest = Math.max(...this.#account.windows.map(({ end }) => end));
    return !this.#gateway.isStampedHere || highest < this.#clock.now();
  }

  async #startAgain(): Promise<void> {
    await this.#clock.advance(this.#dice.between(100, 20_000));
    await this.#gateway.start();
    await settle();
  }

  /** All behaves: observation must go on, and holes must be answered. */
  async #calm(): Promise<void> {
    this.#trace.note('episode', 'all behaves again');
    this.#equipment.behave(false);
    const { recoveryMs } = this.#equipment;
    for (let waited = 0; waited < recoveryMs; waited += calmStepMs) {
      await this.#clock.advance(calmStepMs);
      const isBusy = this.#gateway.history && this.#detector.open > 0 && waited < 60_000;
      if (waited >= leastCalmMs && !isBusy && this.#troubles().length === 0) return;
    }
    for (const what of this.#troubles()) {
      this.#trace.note('JUDGE', `stuck: ${what}`);
      this.#stuck.push({ kind: 'stuck', what, at: this.#clock.monotonic() });
    }
  }

  #troubles(): readonly string[] {
    const troubles: string[] = [];
    const { heardAt, claimedAt } = this.#account;
    const { isAnswerable } = this.#equipment;
    // Where times came again, their windows are claimed already, and what comes is late. And what a disk lost may have been
    // claimed up to where the equipment's clock can have come since, which is as far as our own was set. Behind a clock of our
    // own that was set back, its times lie in the future.
    const isClaimable = isAnswerable && !this.#site.isAgeUnknown;
    const quietMs = this.#clock.monotonic() - (isClaimable ? claimedAt : heardAt);
    if (quietMs > 30_000) troubles.push(`nothing was observed for ${Math.round(quietMs / 1000)} s`);
    const { unanswered } = this.#detector;
    if (isAnswerable && this.#gateway.history && unanswered.length > 0) {
      const [{ start, end }] = unanswered as [{ start: number; end: number }];
      troubles.push(`history does not answer for ${unanswered.length} holes, as for [${start}, ${end})`);
    }
    return troubles;
  }
}
