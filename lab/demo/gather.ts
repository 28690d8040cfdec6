// Asks all processes for their state, at once, and combines the answers for the screen. A process that does not answer is
// shown as such: half of the demo is about processes that are down.
import { gaps, size, subtract, union } from '../../wire/coverage.ts';
import { voidCoverage } from './cloud-copy.ts';
import type { LedgerStream } from './ledger-check.ts';
import type { LastKnown, LifeCounters } from './life-counters.ts';
import type { DemoEvent, LiveState, StreamView } from './live-state.ts';
import { demoRule } from './parts.ts';
import { runtimeView } from './runtime-view.ts';
import type { World } from './world.ts';

export interface GatherInput {
  readonly world: World;
  readonly startedAt: number;
  readonly events: readonly DemoEvent[];
  readonly step?: string | undefined;
  /** Of all lives of the runtime. */
  readonly counters: LifeCounters;
  /** What the detector said last. */
  readonly ledger: LastKnown<readonly LedgerStream[]>;
}

export async function gatherLive(input: GatherInput): Promise<LiveState> {
  const { world, startedAt, events, step, counters } = input;
  const [made, hub, status, resets, answered] = await Promise.all([
    orNothing(world.made()),
    orNothing(world.hubFacts()),
    orNothing(world.runtimeStatus()),
    orNothing(world.resets()),
    orNothing(world.ledger()),
  ]);
  const runtime = counters.add(runtimeView(status));
  const ledger = input.ledger.add(answered);
  return {
    now: Date.now(),
    startedAt,
    dashboardUrl: world.dashboardUrl,
    statusUrl: world.statusUrl(),
    processes: world.processes.map((process) => ({ name: process.name, ...process.state() })),
    network: world.network.mode().kind,
    cloud: world.isUpstreamCut() ? 'cut' : 'up',
    device: world.device.mode().kind,
    rule: { name: demoRule.name, heard: resets?.length ?? 0, inCloud: world.verdicts.verdicts.size },
    ...(runtime && { runtime }),
    ...(hub && { hub: hub.counts }),
    streams: world.streams.map(({ name }) => streamView(world, name, made?.get(name) ?? 0, ledger)),
    events,
    ...(step !== undefined && { step }),
  };
}

function streamView(
  world: World,
  name: string,
  made: number,
  ledger: readonly LedgerStream[] | undefined,
): StreamView {
  const copy = world.tap.copy.streams().get(name);
  const known = ledger?.find(({ batchId }) => batchId === name);
  const covered = copy?.covered ?? [];
  const voids = copy ? subtract(voidCoverage(copy), covered) : [];
  return {
    name,
    made,
    arrived: copy?.readings.size ?? 0,
    repaired: copy?.repairedSamples ?? 0,
    voidMs: size(voids),
    missingMs: size(gaps(union(covered, voids))),
    openRequests: known?.openRequests ?? 0,
    gapsFound: known?.gapsFound ?? 0,
    gapsClosed: known?.gapsClosed ?? 0,
    covered,
    repairs: copy?.repaired ?? [],
    voids,
  };
}

async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch {
    return undefined;
  }
}
