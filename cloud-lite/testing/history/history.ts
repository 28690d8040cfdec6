// A random history of one small fleet: what modules send, what happens to it on its way, what two detectors that run at
// once make of it between their crashes, what people do, and how modules answer. From a seed, so that a failing one
// repeats: exactly on PGlite, which runs one transaction after the other; on PostgreSQL, where the two really overlap,
// except for which of them comes first.

import type { Clock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { Database } from '../../database/database.ts';
import { createDatabaseClock } from '../../database/database-clock.ts';
import { emptyLedger } from '../../database/rebuild.ts';
import { cancelRequest, requestRange, waiveRange } from '../../repair/actions.ts';
import type { DueRequest } from '../../repair/queue.ts';
import { Detector, historyLimits } from './detector.ts';
import { type HubEvent, MadeHub } from './made-hub.ts';
import { indexOf } from './made-message.ts';
import { createModules, type Modules, pick, split } from './modules.ts';
import { noPlantedFaults, type PlantedFaults } from './planted-faults.ts';
import { createWitness, type Witness } from './witness.ts';

/** What happened, for a check that the histories were not too kind. */
export interface HistoryCounts {
  messages: number;
  deaths: number;
  rebuilds: number;
  calls: number;
  waivers: number;
  cancellations: number;
  /** Times that the hub was made anew or another one took its place, and that it lost what was not read. */
  hubs: number;
  shortened: number;
  /** Events of which the hub stated a number or a time that cannot be. */
  wrongStamps: number;
  /** Detectors whose machine's clock was wrong. */
  wrongClocks: number;
  /** Of one stream, made at once. */
  holes: number;
  /** Comparisons of the ledger with the oracle on the way. */
  comparisons: number;
  /** Archive rows at the end. */
  archived: number;
}

export interface HistoryOptions {
  readonly planted?: PlantedFaults;
  /** So many breaks of one stream come first. */
  readonly holes?: number;
}

/**
 * Lives through one history on an empty ledger, until everything is read and repaired.
 * @throws Error as soon as the ledger is not what the oracle holds, or two detectors do the same thing.
 */
export async function liveThrough(
  database: Database,
  seed: number,
  { planted = noPlantedFaults, holes = 0 }: HistoryOptions = {},
): Promise<HistoryCounts> {
  const history = new History(database, seed, planted);
  await history.live(holes);
  return history.counts;
}

const yearMs = 365 * 86_400_000;

class History {
  readonly counts: HistoryCounts = {
    messages: 0,
    deaths: 0,
    rebuilds: 0,
    calls: 0,
    waivers: 0,
    cancellations: 0,
    hubs: 0,
    shortened: 0,
    wrongStamps: 0,
    wrongClocks: 0,
    holes: 0,
    comparisons: 0,
    archived: 0,
  };
  readonly #random: Random;
  /** Of what the hub states of events. */
  readonly #stamps: Random;
  readonly #database: Database;
  readonly #clock = new VirtualClock();
  readonly #hub = new MadeHub();
  readonly #planted: PlantedFaults;
  readonly #modules: Modules;
  readonly #witness: Witness;
  readonly #detectors: Detector[] = [];
  /** Requests that some detector is calling a module for. */
  readonly #calling = new Set<string>();
  #trouble = true;

  constructor(database: Database, seed: number, planted: PlantedFaults) {
    this.#random = seededRandom(seed);
    this.#stamps = seededRandom(seed + 7_919);
    this.#database = database;
    this.#planted = planted;
    this.#modules = createModules(split(this.#random), (message) => {
      this.#hub.take(message, this.#clock.now(), this.#trouble ? this.#stamps : undefined);
      this.counts.messages++;
    });
    this.#witness = createWitness(planted.database(database), this.#hub, this.#clock);
  }

  async live(holes: number): Promise<void> {
    // Positions are milliseconds, too: what a module declares lost was before it says so.
    await this.#clock.advance(1000);
    this.#detectors.push(await this.#newDetector(), await this.#newDetector());
    if (holes > 0) this.#modules.breakUp(holes);
    this.counts.holes = holes;
    const steps = 10 + randomInt(this.#random, 30);
    for (let step = 0; step < steps; step++) {
      await this.#step();
      await this.#clock.advance(randomInt(this.#random, 800));
    }
    await this.#comeToRest();
    const [row] = await this.#database.query<{ n: number }>('select count(*) as n from stream_archive');
    this.counts.archived = row!.n;
    this.counts.wrongStamps = this.#hub.wrong;
  }

  async #step(): Promise<void> {
    const what = randomInt(this.#random, 100);
    if (what < 40) this.#modules.produce();
    else if (what < 90) await this.#work();
    else if (what < 93) await this.#personActs();
    else if (what < 94) await this.#rebuild();
    else if (what < 96) await this.#sufferHub();
    else await this.#compare();
  }

  /** Both detectors at once, each at something. */
  async #work(): Promise<void> {
    await Promise.all(
      this.#detectors.map((detector, i) => {
        const death = this.#chance(0.1) ? randomInt(this.#random, 12) : undefined;
        const partition = randomInt(this.#random, this.#hub.partitions);
        const again = this.#chance(0.2);
        const isRepairing = this.#chance(0.4);
        return this.#withDeath(i, death, () =>
          isRepairing ? this.#repair(detector) : detector.read(partition, again),
        );
      }),
    );
  }

  /** Does `work`, and dies `death` statements into it, or with its end when it has fewer. */
  async #withDeath(place: number, death: number | undefined, work: () => Promise<unknown>): Promise<void> {
    const { database } = this.#detectors[place]!;
    if (death !== undefined) database.dieAfter(death);
    try {
      await work();
    } catch (error) {
      if (!database.isDead) throw error;
    }
    if (death === undefined) return;
    database.die();
    this.counts.deaths++;
    this.#detectors[place] = await this.#newDetector();
  }

  async #repair(detector: Detector): Promise<void> {
    const claimed = await detector.claim();
    await this.#witness.nothingIsAskedTwice();
    await this.#witness.nothingIsGivenUpEarly();
    for (const request of claimed) {
      if (this.#calling.has(request.id)) throw new Error(`request ${request.id} was claimed twice`);
      this.#calling.add(request.id);
    }
    try {
      for (const request of claimed) await this.#call(detector, request);
    } finally {
      for (const { id } of claimed) this.#calling.delete(id);
    }
  }

  async #call(detector: Detector, request: DueRequest): Promise<void> {
    this.counts.calls++;
    const outcome = this.#modules.answer(request);
    // Lets the other detector in, as a call does that takes its time.
    await new Promise((resolve) => setImmediate(resolve));
    this.#witness.heard(request.id, outcome);
    await detector.record(request, outcome);
  }

  async #personActs(): Promise<void> {
    const now = this.#clock.now();
    if (this.#chance(0.5)) {
      const [request] = await this.#database.query<{ id: string }>(
        `select id from request where state in ('pending', 'accepted') order by stream_id, range limit 1`,
      );
      if (request === undefined) return;
      await cancelRequest(this.#database, request.id, 'test', now);
      this.counts.cancellations++;
      return;
    }
    const [stream] = await this.#missing();
    if (stream === undefined) return;
    // Waived are positions that are missing now: the oracle has to be where the ledger is.
    await this.#compare();
    const start = randomInt(this.#random, 200);
    const window = { start, end: start + 1 + randomInt(this.#random, 100) };
    const range = { start: indexOf(stream.batchId, start), end: indexOf(stream.batchId, window.end) };
    await waiveRange(this.#database, stream.id, range, 'test', now);
    this.#witness.oracle().waive(stream.deviceId, stream.batchId, window);
    this.counts.waivers++;
  }

  async #missing() {
    return this.#database.query<{ id: number; deviceId: string; batchId: string }>(
      `select id, device_id as "deviceId", batch_id || case when late_of is null then '' else '#' end as "batchId"
         from stream where id in (select stream_id from stream_segment where missing <> '{}')
        order by device_id, batch_id`,
    );
  }

  /** The detectors go on meanwhile, and know nothing of it. */
  async #rebuild(): Promise<void> {
    await emptyLedger(this.#database);
    this.#witness.forget();
    this.counts.rebuilds++;
  }

  async #sufferHub(): Promise<void> {
    const event = pick<HubEvent>(this.#random, ['remade', 'moved', 'shortened', 'shortened']);
    await this.#compare();
    this.#hub.suffer(event, this.#random);
    this.#witness.hubChanged();
    if (event === 'shortened') this.counts.shortened++;
    else this.counts.hubs++;
  }

  async #compare(): Promise<void> {
    await this.#witness.compare();
    this.counts.comparisons++;
  }

  /** All is well at last: everything is read, and what can be repaired is. */
  async #comeToRest(): Promise<void> {
    await this.#compare();
    this.#trouble = false;
    this.#modules.calmDown();
    for (let round = 0; round < 100; round++) {
      for (let partition = 0; partition < this.#hub.partitions; partition++) {
        const detector = pick(this.#random, this.#detectors);
        while (await detector.read(partition, false));
      }
      await this.#repair(pick(this.#random, this.#detectors));
      if (await this.#witness.isAtRest()) return this.#fallSilent();
      await this.#askAgain();
      await this.#clock.advance(2000);
    }
    throw new Error('repair did not come to rest');
  }

  /** The last messages wait for hours, as the detectors are away, and nothing more comes; then the hub is read. */
  async #fallSilent(): Promise<void> {
    await this.#compare();
    for (let n = 0; n < 5; n++) this.#modules.produce();
    await this.#clock.advance(2 * 3_600_000);
    await this.#compare();
    for (let partition = 0; partition < this.#hub.partitions; partition++)
      while (await this.#detectors[0]!.read(partition, false));
    await this.#compare();
  }

  /** What was given up in bad times stays so until a person asks. */
  async #askAgain(): Promise<void> {
    const rows = await this.#database.query<{ id: number; start: number; end: number }>(
      `select s.stream_id as id, lower(left_over) as start, upper(left_over) as end
         from gap g join stream_segment s on s.stream_id = g.stream_id,
              unnest(s.missing * g.abandoned) as left_over where g.state <> 'closed'`,
    );
    for (const { id, start, end } of rows) {
      await requestRange(this.#database, this.#random, historyLimits, id, { start, end }, this.#clock.now());
    }
  }

  /** Its machine's clock may be wrong; the database's is right. */
  async #newDetector(): Promise<Detector> {
    const random = split(this.#random);
    const wrongMs = this.#chance(0.5) ? pick(random, [35_000, -35_000, yearMs, -yearMs]) : 0;
    if (wrongMs !== 0) this.counts.wrongClocks++;
    const right = this.#clock;
    const machine: Clock = {
      now: () => right.now() + wrongMs,
      monotonic: () => right.monotonic(),
      setTimer: (delayMs, callback) => right.setTimer(delayMs, callback),
    };
    const session = {
      query: async <R extends object>() => [{ now: right.now() }] as unknown as R[],
      script: async () => {},
    };
    const own = createDatabaseClock(session, machine, silentLog);
    await own.read();
    return new Detector({
      database: this.#database,
      clock: this.#planted.clock(own, machine),
      random,
      hub: this.#hub,
      planted: this.#planted,
    });
  }

  /** Never, once all is well. */
  #chance(probability: number): boolean {
    return this.#random.next() < probability && this.#trouble;
  }
}
