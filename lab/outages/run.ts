// Runs one gateway through a series of outages: the effect of each, and whether all arrived in the end. Runs inside the far
// namespace (run-main.ts): hub and plant are objects in this process, the module is a process of its own.
import { join } from 'node:path';
import { createCloudCopy } from '../demo/cloud-copy.ts';
import { unpackMessage } from '../demo/unpack-message.ts';
import { startHub } from '../hub/hub.ts';
import type { Hub } from '../hub/hub-port.ts';
import { type Plant, startPlant } from '../plant/plant.ts';
import { plantSources } from '../plant/site.ts';
import { type Footprint, growth } from './footprint.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { type OutageName, type Outage as OutageSteps, outages } from './outages.ts';
import { createPromises, judgeStream, type Verdict } from './promises.ts';
import { addresses, hubName, type SiteNames } from './site.ts';
import { followStory } from './story.ts';

export interface Round {
  readonly outage: OutageName;
  readonly durationMs: number;
}

export interface RunOptions {
  readonly site: SiteNames;
  /** For the hub's and the module's files; must exist. */
  readonly folder: string;
  readonly rounds: readonly Round[];
  readonly sendTimeoutMs: number;
  /** Undisturbed, before the footprint is first taken. */
  readonly warmUpMs: number;
  /** Longest wait for recovery after an outage, beyond `sendTimeoutMs`. */
  readonly recoverMs: number;
}

export interface RoundResult extends Round {
  /** From the end of the outage until a reading made after it was stored. */
  readonly liveAfterMs?: number;
  /** From the end of the outage until all that was held back was stored. */
  readonly drainedAfterMs?: number;
  readonly footprint: Footprint;
  readonly problems: readonly string[];
}

export interface RunResult {
  readonly rounds: readonly RoundResult[];
  readonly streams: Readonly<Record<string, Verdict>>;
  readonly before: Footprint;
  readonly after: Footprint;
  /** Anything that is wrong with the run as a whole; empty when nothing is lost and nothing grew. */
  readonly problems: readonly string[];
}

const streams = { press: 1, boiler: 2 } as const;
const scanMs = 250;
const lookMs = 100;
/** What was on its way when an outage began may still be stored so much later. */
const underWayMs = 1000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function runOutages(options: RunOptions): Promise<RunResult> {
  const world = await build(options);
  try {
    return await play(world, options);
  } finally {
    await world.tearDown();
  }
}

/** Whether nothing at all was wrong. */
export const isClean = ({ problems, rounds }: RunResult): boolean =>
  problems.length === 0 && rounds.every((round) => round.problems.length === 0);

interface World {
  readonly hub: Hub;
  readonly plant: Plant;
  readonly gateway: Gateway;
  readonly copy: ReturnType<typeof createCloudCopy>;
  readonly promises: ReturnType<typeof createPromises>;
  readonly undecodable: string[];
  tearDown(): Promise<void>;
}

async function build(options: RunOptions): Promise<World> {
  const open: (() => Promise<unknown> | undefined)[] = [];
  const tearDown = async () => {
    for (const close of open.toReversed()) await close();
  };
  try {
    const plant = await startPlant({ host: addresses.plant, scanMs, historyS: 300 });
    open.push(() => plant.stop());
    const hub = await startHub({
      dataFolder: join(options.folder, 'hub'),
      deviceHost: addresses.hub,
      deviceHostName: hubName,
      strictMessageIds: true,
      partitions: 1,
    });
    open.push(() => hub.stop());
    const copy = createCloudCopy();
    const undecodable: string[] = [];
    hub.onEvent(({ properties, system, body }) => {
      try {
        copy.take(unpackMessage(properties, system, body));
      } catch (error) {
        undecodable.push(String(error));
      }
    });
    const names: readonly string[] = Object.keys(streams);
    const gateway = await startGateway({
      namespace: options.site.gateway,
      folder: options.folder,
      // A patient poll: on a busy machine an answer that comes late is still an answer.
      sources: plantSources(plant.info, { pollMs: 100, timeoutMs: 5000 }).filter(({ name }) =>
        names.includes(name),
      ),
      environment: hub.edgeEnvironment('gateway', 'holdfast'),
      sendTimeoutMs: options.sendTimeoutMs,
    });
    open.push(async () => gateway.kill());
    return { hub, plant, gateway, copy, promises: createPromises(), undecodable, tearDown };
  } catch (error) {
    await tearDown();
    throw error;
  }
}

async function play(world: World, options: RunOptions): Promise<RunResult> {
  const { hub, plant, gateway, copy, promises, undecodable } = world;
  let watching = true;
  const watcher = watch(world, () => watching);
  const problems: string[] = [];
  const rounds: RoundResult[] = [];
  if (!(await until(() => hub.state().counts.accepted > 0, 30_000)))
    problems.push('nothing came at the start');
  await pause(options.warmUpMs);
  const before = gateway.footprint();
  for (const round of options.rounds) {
    rounds.push(await playRound(world, round, options));
    if (gateway.exited() !== undefined) break;
  }
  const after = await settledFootprint(gateway, before);
  problems.push(...growth(before, after));

  plant.stopSampling();
  await pause(1500);
  const limitMs = options.recoverMs + options.sendTimeoutMs;
  await until(async () => isDrained(await gateway.status()) && promises.unkept(copy).length === 0, limitMs);
  watching = false;
  await watcher;
  const code = await gateway.stop();
  if (code !== 0) problems.push(`the module ended with ${code} at SIGTERM`);
  problems.push(
    ...undecodable,
    ...promises.unkept(copy).map((window) => `promised and not there: ${window}`),
  );
  const verdicts = Object.fromEntries(
    Object.entries(streams).map(([stream, unit]) => {
      const truth = [...plant.truth(unit)].map(({ timestamp, values }) => ({
        at: timestamp,
        values: { ...values },
      }));
      return [stream, judgeStream(stream, promises.all().get(stream) ?? [], truth, copy)];
    }),
  );
  for (const verdict of Object.values(verdicts)) problems.push(...verdict.problems);
  return { rounds, streams: verdicts, before, after, problems };
}

async function playRound(world: World, round: Round, options: RunOptions): Promise<RoundResult> {
  const { hub, copy, promises, gateway } = world;
  const scene = { site: options.site, hub };
  const outage: OutageSteps = outages[round.outage];
  const story = followStory(gateway);
  const began = Date.now();
  await outage.begin(scene, round.durationMs);
  let passedAt = 0;
  const stopLooking = hub.onEvent(() => {
    passedAt = Date.now();
  });
  for (let second = 1; Date.now() - began < round.durationMs; second++) {
    const next = Math.min(began + second * 1000, began + round.durationMs);
    await pause(Math.max(0, next - Date.now()));
    if (next < began + round.durationMs) await outage.eachSecond?.(scene, second);
  }
  stopLooking();
  await outage.end(scene);
  const over = Date.now();
  const limitMs = options.recoverMs + options.sendTimeoutMs;
  const isLive = () =>
    Object.keys(streams).every((stream) => (copy.streams().get(stream)?.covered.at(-1)?.end ?? 0) > over);
  const live = until(isLive, limitMs);
  const drained = until(() => isLive() && promises.unkept(copy, over).length === 0, limitMs);
  const [liveAfterMs, drainedAfterMs] = await Promise.all([live, drained]);
  const problems: string[] = [...(await story.end())];
  if (!outage.isLeaky && passedAt > began + underWayMs) problems.push('the outage let messages through');
  if (liveAfterMs === undefined) problems.push(`no live data ${limitMs / 1000} s after the outage`);
  if (drainedAfterMs === undefined) problems.push(`not drained ${limitMs / 1000} s after the outage`);
  const code = gateway.exited();
  if (code !== undefined) problems.push(`the module ended with ${code}`);
  return {
    ...round,
    ...(liveAfterMs !== undefined && { liveAfterMs }),
    ...(drainedAfterMs !== undefined && { drainedAfterMs }),
    footprint: code === undefined ? gateway.footprint() : noFootprint,
    problems,
  };
}

const noFootprint: Footprint = { residentMb: 0, descriptors: 0, sockets: 0 };

/** Notes what the module says is durable, several times for each window. */
async function watch({ gateway, promises }: World, go: () => boolean): Promise<void> {
  while (go() && gateway.exited() === undefined) {
    await gateway.status().then(promises.note, () => {});
    await pause(lookMs);
  }
}

/** The footprint once nothing is being torn down any more, or after 15 s. */
async function settledFootprint(gateway: Gateway, before: Footprint): Promise<Footprint> {
  if (gateway.exited() !== undefined) return noFootprint;
  await until(() => growth(before, gateway.footprint()).length === 0, 15_000);
  return gateway.footprint();
}

const isDrained = ({ spool }: { spool: { lanes: Readonly<Record<string, { messages: number }>> } }) =>
  Object.values(spool.lanes).every(({ messages }) => messages === 0);

/** The time it took in ms, or undefined after `limitMs`. An error counts as "not yet". */
async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs: number,
): Promise<number | undefined> {
  const start = Date.now();
  for (;;) {
    try {
      if (await condition()) return Date.now() - start;
    } catch {}
    if (Date.now() - start > limitMs) return undefined;
    await pause(50);
  }
}
