// The faults of a soak, at random times from a seed: each for a while, now and then two at once.
import { setTimeout as wait } from 'node:timers/promises';
import { type Random, randomInt } from '../../kernel/random.ts';
import type { Supervised } from '../demo/processes.ts';
import type { World } from '../demo/world.ts';

export interface Fault {
  /** For people. */
  readonly name: string;
  /** Resolves once it is over; undoes itself also when `signal` aborts. */
  run(world: World, random: Random, signal: AbortSignal): Promise<void>;
}

/** Mostly short, sometimes long: within what the equipment remembers, which is 10 minutes. */
export function lasting(random: Random): number {
  return random.next() < 0.8 ? 500 + randomInt(random, 15_000) : 30_000 + randomInt(random, 90_000);
}

const during =
  (begin: (world: World) => Promise<unknown>, end: (world: World) => Promise<unknown>): Fault['run'] =>
  async (world, random, signal) => {
    const ms = lasting(random);
    await begin(world);
    try {
      await pause(ms, signal);
    } finally {
      await end(world);
    }
  };

/** A machine that stalls: the process is stopped, and goes on as if nothing had been. */
const frozen =
  (which: 'runtime' | 'detector'): Fault['run'] =>
  async (world, random, signal) => {
    const { pid, phase } = (world[which] as Supervised).state();
    if (pid === undefined || phase !== 'running') return;
    process.kill(pid, 'SIGSTOP');
    try {
      await pause(500 + randomInt(random, 20_000), signal);
    } finally {
      wake(pid);
    }
  };

function wake(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch (error) {
    // It was killed meanwhile, by another fault.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export const commonFaults: readonly Fault[] = [
  {
    name: 'network cut',
    run: during(
      ({ network }) => network.set({ kind: 'cut' }),
      ({ network }) => network.set({ kind: 'up' }),
    ),
  },
  {
    name: 'network swallows everything',
    run: during(
      ({ network }) => network.set({ kind: 'blackhole' }),
      ({ network }) => network.set({ kind: 'up' }),
    ),
  },
  {
    name: 'network slow',
    run: during(
      ({ network }) => network.set({ kind: 'throttle', bytesPerSecond: 4000 }),
      ({ network }) => network.set({ kind: 'up' }),
    ),
  },
  {
    name: 'cloud out of reach',
    run: during(
      (world) => world.cutUpstream(true),
      (world) => world.cutUpstream(false),
    ),
  },
  {
    name: 'equipment unplugged',
    run: during(
      ({ device }) => device.set({ kind: 'cut' }),
      ({ device }) => device.set({ kind: 'up' }),
    ),
  },
  {
    name: 'habits of real equipment',
    run: during(
      ({ equipment }) => Promise.all(equipment.map(({ habits }) => habits?.begin())),
      ({ equipment }) => Promise.all(equipment.map(({ habits }) => habits?.end())),
    ),
  },
  { name: 'runtime killed', run: async ({ runtime }) => void (await runtime.killAndRestart()) },
  { name: 'detector killed', run: async ({ detector }) => void (await detector.killAndRestart()) },
  { name: 'runtime frozen', run: frozen('runtime') },
  { name: 'detector frozen', run: frozen('detector') },
  {
    name: 'messages acknowledged and lost',
    run: (world, random) => world.loseNext(1 + randomInt(random, 5)),
  },
  { name: 'cut amid a message', run: (world) => world.cutAmidNext() },
];

export interface FaultsOptions {
  readonly world: World;
  /** Those to choose from. */
  readonly faults: readonly Fault[];
  readonly random: Random;
  /** Ends it; what is under way is undone first. */
  readonly signal: AbortSignal;
  /** Between the end of one and the beginning of the next, at most. */
  readonly quietMs: number;
  readonly said: (text: string) => void;
}

/** How often each fault was made, once `signal` has aborted. Rejects where a fault could not be made or undone. */
export async function makeFaults(options: FaultsOptions): Promise<ReadonlyMap<string, number>> {
  const { world, faults, random, signal, quietMs, said } = options;
  const made = new Map<string, number>();
  const one = async () => {
    const fault = faults[randomInt(random, faults.length)]!;
    made.set(fault.name, (made.get(fault.name) ?? 0) + 1);
    said(fault.name);
    await fault.run(world, random, signal);
  };
  while (!signal.aborted) {
    await pause(randomInt(random, quietMs), signal);
    if (signal.aborted) break;
    // One that ends later than the other may undo it early: that is a shorter fault, and none that stays.
    await Promise.all(random.next() < 0.25 ? [one(), one()] : [one()]);
  }
  return made;
}

/** Resolves early when `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return wait(ms, undefined, { signal }).catch(() => {});
}
