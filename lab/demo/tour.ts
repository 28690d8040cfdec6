// The tour: every fault that the product promises to survive, one after the other, on the real processes.
//
// Each step makes its fault, checks that it had an effect (a fault that hit nothing proves nothing: that is a
// problem of the tour and fails it), and waits until the cloud has no hole any more. Waiting is bounded and
// does not judge: what is still missing at the end is what the account finds.
import { gaps, union } from '../../wire/coverage.ts';
import type { Account } from './account.ts';
import { type StreamCopy, voidCoverage } from './cloud-copy.ts';
import type { DashboardWatch } from './dashboard-watch.ts';
import { timings } from './parts.ts';
import type { World } from './world.ts';

export interface TourReport {
  /** A step begins; `number` from 1. */
  step(number: number, of: number, title: string): void;
  say(text: string, tone?: 'plain' | 'good' | 'bad'): void;
}

export interface TourOptions {
  readonly report: TourReport;
  readonly signal: AbortSignal;
  /** Shorter outages: to try the tour out. */
  readonly quick: boolean;
  /** Looks at the dashboard meanwhile, where there is a browser to do it with. */
  readonly watch?: DashboardWatch | undefined;
}

/** When the steps stop waiting, counted from the first; what they leave the end waits for, a little longer. */
const limitMs = 360_000;
const endLimitMs = 90_000;
/** For what has to come: generous, since a busy machine is no fault, and nobody waits where it comes at once. */
const patienceMs = 60_000;
const pollMs = 100;

/** How long each fault lasts, ms. Cut off from the cloud for a minute, as at a site where the line is down. */
interface Pace {
  readonly normalMs: number;
  readonly networkMs: number;
  readonly upstreamMs: number;
  readonly unpluggedMs: number;
}
const fullPace: Pace = { normalMs: 8000, networkMs: 6000, upstreamMs: 60_000, unpluggedMs: 7000 };
/** As long as the faults need to be felt: each wait beyond these is for something to happen. */
const quickPace: Pace = { normalMs: 0, networkMs: 1500, upstreamMs: 0, unpluggedMs: 1500 };

interface Tour extends TourOptions {
  readonly world: World;
  readonly deadline: number;
  readonly pace: Pace;
  readonly problems: string[];
}

interface Step {
  readonly title: string;
  /** Another step has this fault in it, beside one of its own. */
  readonly notInQuick?: true;
  run(tour: Tour): Promise<void>;
}

const steps: readonly Step[] = [
  { title: 'normal running', run: normalRunning },
  { title: 'equipment with the habits of real one', run: oddHabits },
  { title: 'network cut', run: networkCut },
  { title: 'cloud out of reach: the gateway decides alone', run: upstreamCut },
  { title: 'runtime killed (kill -9)', run: runtimeKilled },
  { title: 'messages acknowledged, then lost', run: messagesLost, notInQuick: true },
  { title: 'all equipment unplugged', run: equipmentUnplugged },
  { title: 'detector restarted amid a repair', run: detectorRestarted },
  { title: 'end: all sources stop, everything drains', run: drain },
];

/** Plays all steps and draws up the account. Rejects only when the world broke or `signal` aborted. */
export async function playTour(world: World, options: TourOptions): Promise<Account> {
  const pace = options.quick ? quickPace : fullPace;
  const tour: Tour = { ...options, world, pace, deadline: Date.now() + limitMs, problems: [] };
  const played = steps.filter(({ notInQuick }) => !(notInQuick && options.quick));
  for (const [i, step] of played.entries()) {
    options.report.step(i + 1, played.length, step.title);
    await step.run(tour);
  }
  for (const process of world.processes) {
    const { crashes } = process.state();
    if (crashes > 0) tour.problems.push(`${process.name} ended by itself ${crashes} times`);
  }
  return world.account(tour.problems);
}

async function normalRunning(tour: Tour): Promise<void> {
  const all = () => tour.world.streams.every(({ name }) => (copyOf(tour, name)?.covered.length ?? 0) > 0);
  if (!(await until(tour, all, patienceMs))) throw new Error('no stream arrives in the cloud');
  tour.report.say('the first window of every stream is in the cloud', 'good');
  await pause(tour, tour.pace.normalMs);
}

/** What real devices do is no fault: their readings go on, without a hole that was not there before. */
async function oddHabits(tour: Tour): Promise<void> {
  const { world, report, problems } = tour;
  const looking = tour.watch?.before();
  const having = world.equipment.flatMap(({ habits, streams }) => (habits ? [{ habits, streams }] : []));
  for (const { habits, streams } of having) {
    const before = await habits.felt();
    await habits.begin();
    report.say(habits.title);
    const felt = async () => (await habits.felt()) - before;
    if (!(await until(tour, async () => (await felt()) >= 10, patienceMs)))
      problems.push(`${habits.title}: felt ${await felt()} times only`);
    const since = Date.now();
    const goesOn = () => streams.every(({ name }) => (copyOf(tour, name)?.covered.at(-1)?.end ?? 0) > since);
    if (await until(tour, goesOn, patienceMs)) report.say('all of them are read all the same', 'good');
    else problems.push(`${habits.title}: some of them are not read any more`);
    await habits.end();
  }
  await looking;
  await repaired(tour, Date.now(), 25_000);
}

async function networkCut(tour: Tour): Promise<void> {
  const { world, report } = tour;
  await cutAmidMessage(tour);
  await world.network.set({ kind: 'cut' });
  // What the hub had taken before the cut may still be on its way to the tap.
  await pause(tour, 1500);
  const before = world.tap.taken();
  await pause(tour, tour.pace.networkMs);
  const during = world.tap.taken() - before;
  if (during > 0) tour.problems.push(`${during} messages came through a network that was cut`);
  report.say('nothing comes through; the spool fills');
  await world.network.set({ kind: 'up' });
  const restored = Date.now();
  report.say('network restored: the backlog goes up beside live data');
  await repaired(tour, restored, 25_000);
  const repeated = tour.world.streams.reduce(
    (sum, { name }) => sum + (copyOf(tour, name)?.repeatedMessages ?? 0),
    0,
  );
  if (repeated === 0) tour.problems.push('the message that was cut off was not sent again');
}

/**
 * The modules reach each other, and the cloud nobody: the rule goes on, and the machine is cooled. Its verdicts come to the cloud
 * afterwards, in a burst, with the times at which they were decided; the account looks at each of them.
 */
async function upstreamCut(tour: Tour): Promise<void> {
  const { world, report } = tour;
  const told = async () => new Set((await world.resets()).map(({ id }) => id)).size;
  await world.cutUpstream(true);
  // What the hub had taken before the cut may still be on its way to the tap.
  await pause(tour, 1500);
  const [before, toldBefore] = [world.tap.taken(), await told()];
  await pause(tour, tour.pace.upstreamMs);
  const cooled = async () => (await told()) >= toldBefore + 2;
  if (!(await until(tour, cooled, patienceMs)))
    tour.problems.push('nothing was decided while the cloud was away');
  const during = world.tap.taken() - before;
  if (during > 0) tour.problems.push(`${during} messages came to a cloud that was out of reach`);
  report.say(`${(await told()) - toldBefore} resets were carried out meanwhile; the cloud knows of none`);
  await world.cutUpstream(false);
  const restored = Date.now();
  report.say('within reach again: the verdicts arrive in a burst, with their old times');
  await repaired(tour, restored, 25_000);
}

/**
 * The worst moment: the hub has stored a message, and its acknowledgement is lost with the connection. The
 * runtime cannot know, so it must send again, and the duplicate must be recognised.
 */
async function cutAmidMessage(tour: Tour): Promise<void> {
  const { world, report } = tour;
  await world.cutAmidNext();
  const cut = async () => (await world.hubFacts()).faults.cutOnTelemetry === undefined;
  if (!(await until(tour, cut, patienceMs))) tour.problems.push('no message was cut off');
  report.say('cut while a message was being acknowledged');
}

async function runtimeKilled(tour: Tour): Promise<void> {
  tour.watch?.watchForGaps();
  await tour.world.runtime.killAndRestart();
  tour.report.say(
    'running again; what the journal had is kept, the hole between is fetched from the equipment',
  );
  await repaired(tour, Date.now(), 25_000);
}

async function messagesLost(tour: Tour): Promise<void> {
  await loseMessages(tour, 4);
  await repaired(tour, Date.now(), 25_000);
}

async function equipmentUnplugged(tour: Tour): Promise<void> {
  const { world, report } = tour;
  await world.device.set({ kind: 'cut' });
  report.say(`unplugged: ${world.equipment.map(({ title }) => title).join(', ')}`);
  await pause(tour, tour.pace.unpluggedMs);
  await world.device.set({ kind: 'up' });
  const replugged = Date.now();
  const names = (remembers: boolean) =>
    world.streams.filter((stream) => stream.remembers === remembers).map(({ name }) => name);
  report.say(`plugged in again: ${names(true).join(', ')} remember, ${names(false).join(', ')} do not`);
  await repaired(tour, replugged, 25_000);
}

async function detectorRestarted(tour: Tour): Promise<void> {
  const { world, report } = tour;
  await loseMessages(tour, 2);
  const hasGap = async () => (await world.ledger()).some((stream) => stream.gaps.length > 0);
  if (!(await until(tour, hasGap, patienceMs))) tour.problems.push('the detector saw no gap to be killed in');
  await world.detector.killAndRestart();
  report.say('running again from its own checkpoint');
  await repaired(tour, Date.now(), 25_000);
}

/** For other runs than the tour: all sources stop, everything arrives, and the account is drawn up. */
export async function comeToRest(
  world: World,
  options: {
    readonly signal: AbortSignal;
    readonly say: TourReport['say'];
    readonly problems: string[];
  },
): Promise<Account> {
  const { signal, say, problems } = options;
  const report: TourReport = { step: () => {}, say };
  const deadline = Date.now() + limitMs;
  const tour = { world, signal, report, problems, deadline, pace: fullPace, quick: false };
  // The last fault may have been a long one: sources look for their equipment every 30 s then.
  await repaired(tour, Date.now(), 150_000);
  await drain(tour);
  return world.account(problems);
}

/**
 * The end of what counts. First the plant makes no further sample; when all of them have had time to arrive,
 * the device is unplugged, so that the polled meter stops too; then nothing moves any more, and what the tap
 * and the ledger hold is compared at rest.
 */
async function drain(tour: Tour): Promise<void> {
  const { world, report } = tour;
  await world.stopSampling();
  const stopped = Date.now();
  // Several polls: the last sample is then seen, and only has to arrive.
  await pause(tour, 1000);
  // The sensor's readings may come out of order by a second, so that much of its end is never claimed.
  await repaired(tour, stopped - 2500, 20_000);
  await world.device.set({ kind: 'cut' });
  const settled = async () => {
    const quietMs = Date.now() - (world.tap.lastAt() ?? 0);
    return quietMs > timings.windowMs + 500 && (await world.account()).ok;
  };
  const began = Date.now();
  if (await until({ ...tour, deadline: Date.now() + endLimitMs }, settled, endLimitMs)) {
    report.say(`at rest after ${((Date.now() - began) / 1000).toFixed(1)} s`, 'good');
  } else report.say('does not come to rest', 'bad');
  tour.problems.push(...((await tour.watch?.after(tour.world.streams.map(({ name }) => name))) ?? []));
}

/** Has the hub acknowledge and lose the next messages, and waits until it did. */
async function loseMessages(tour: Tour, count: number): Promise<void> {
  const { world, report } = tour;
  const before = (await world.hubFacts()).counts.lost;
  await world.loseNext(count);
  const lost = async () => (await world.hubFacts()).counts.lost >= before + count;
  if (!(await until(tour, lost, patienceMs))) tour.problems.push('the hub lost nothing');
  report.say(`the hub acknowledged ${count} messages and lost them`);
}

/**
 * Waits until every stream reaches beyond `since` (epoch ms) without a hole, as far as the cloud received.
 * `since` on the meter's stream and on the others is the same clock: all run on this machine.
 */
async function repaired(tour: Tour, since: number, timeoutMs: number): Promise<void> {
  const began = Date.now();
  const whole = () =>
    tour.world.streams.every(({ name }) => {
      const copy = copyOf(tour, name);
      const stated = copy ? statements(copy) : [];
      return gaps(stated).length === 0 && (stated.at(-1)?.end ?? 0) > since;
    });
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  if (await until(tour, whole, timeoutMs))
    tour.report.say(`no hole left in the cloud after ${seconds()}`, 'good');
  else tour.report.say(`the cloud is not whole after ${seconds()}; going on`, 'bad');
}

const copyOf = (tour: Tour, name: string): StreamCopy | undefined => tour.world.tap.copy.streams().get(name);
const statements = (copy: StreamCopy) => union(copy.covered, voidCoverage(copy));

/** True once `condition` holds; false after `timeoutMs` or at the tour's deadline. A rejection is "not yet". */
async function until(
  tour: Tour,
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> {
  const end = Math.min(tour.deadline, Date.now() + timeoutMs);
  while (true) {
    tour.signal.throwIfAborted();
    if (await Promise.resolve(condition()).catch(() => false)) return true;
    if (Date.now() >= end) return false;
    await pause(tour, pollMs);
  }
}

function pause({ signal }: Tour, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', aborted);
      resolve();
    }, ms);
    signal.addEventListener('abort', aborted, { once: true });
  });
}
