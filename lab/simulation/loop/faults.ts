// What befalls a world, drawn from its seed: what happens when, to whom. Each fault is whole by itself (what it breaks it also
// mends), so that a run can be had again with some of them left out.
import { type Random, randomInt } from '../../../kernel/random.ts';
import type { Habit } from './equipment.ts';
import type { ClientTrouble } from './hub.ts';
import type { LinkState } from './link.ts';
import type { Refit } from './twin.ts';

export type Fault = { readonly at: number } & (
  | { readonly kind: 'kill' | 'stop'; readonly gateway: number; readonly forMs: number }
  | {
      readonly kind: 'power-cut';
      readonly gateway: number;
      readonly forMs: number;
      readonly operations: number;
    }
  | { readonly kind: 'link'; readonly gateway: number; readonly state: LinkState; readonly forMs: number }
  | { readonly kind: 'flap'; readonly gateway: number; readonly times: number }
  | {
      readonly kind: 'slow-link';
      readonly gateway: number;
      readonly latencyMs: number;
      readonly forMs: number;
    }
  | { readonly kind: 'lose' | 'repeat'; readonly count: number }
  | { readonly kind: 'lose-calls' | 'lose-answers'; readonly count: number }
  | { readonly kind: 'unplug'; readonly gateway: number; readonly source: number; readonly forMs: number }
  | {
      readonly kind: 'habit';
      readonly gateway: number;
      readonly source: number;
      readonly habit: Habit;
      readonly forMs: number;
    }
  | { readonly kind: 'forget'; readonly gateway: number; readonly source: number }
  | {
      readonly kind: 'disk-full' | 'disk-error';
      readonly gateway: number;
      readonly operations: number;
      readonly count: number;
    }
  | { readonly kind: 'clock'; readonly gateway: number; readonly stepMs: number }
  /** Of edgeHub's way up; of a short time to live in its store; of the store itself. Nothing where there is no edgeHub. */
  | {
      readonly kind: 'upstream' | 'edge-expires' | 'edge-loses';
      readonly gateway: number;
      readonly forMs: number;
    }
  /** No detector reads for `forMs`, and the hub removes the older part of what it took meanwhile. */
  | { readonly kind: 'shorten'; readonly forMs: number }
  /** The hub is made anew: what it held is gone, and it counts from zero. */
  | { readonly kind: 'remake' }
  /** The device's events go to another partition from now on. */
  | { readonly kind: 'move'; readonly gateway: number }
  /** Another configuration, as the twin has it. */
  | { readonly kind: 'reload'; readonly gateway: number; readonly choice: number }
  | {
      readonly kind: 'kill-detector';
      readonly detector: number;
      readonly statements: number;
      readonly forMs: number;
    }
  | RareFault
);

/** Drawn beside the others. */
type RareFault =
  /** The power goes, and again and again while the module recovers: after so many operations of each start. */
  | { readonly kind: 'power-cuts'; readonly gateway: number; readonly operations: readonly number[] }
  /** The machine has no battery: after `forMs` without power it starts in 1970, and is put right `wrongMs` later. */
  | { readonly kind: 'boot-1970'; readonly gateway: number; readonly forMs: number; readonly wrongMs: number }
  /** Bits turn on the disk of a machine that is off. */
  | { readonly kind: 'bit-flips'; readonly gateway: number; readonly forMs: number; readonly count: number }
  | { readonly kind: 'slow-disk'; readonly gateway: number; readonly forMs: number; readonly opMs: number }
  /** The spool is sealed with another key, or with none, from the next start on; the keys before are kept, or lost. */
  | {
      readonly kind: 'key-change' | 'key-loss';
      readonly gateway: number;
      readonly forMs: number;
      readonly isKilled: boolean;
    }
  /** The process ends amid its work, and one of another version begins, under another configuration. */
  | {
      readonly kind: 'upgrade' | 'downgrade';
      readonly gateway: number;
      readonly forMs: number;
      readonly choice: number;
      readonly isKilled: boolean;
    }
  /** The library that speaks to the hub fails on a network that is well. */
  | {
      readonly kind: 'client';
      readonly gateway: number;
      readonly trouble: ClientTrouble;
      readonly forMs: number;
    }
  /** Messages are stored by the hub only so much later, behind others. */
  | { readonly kind: 'delay'; readonly count: number; readonly byMs: number }
  /** The equipment has no power, and what it remembered is gone. */
  | {
      readonly kind: 'equipment-restart';
      readonly gateway: number;
      readonly source: number;
      readonly forMs: number;
    }
  /** The twin names one source otherwise for so long. */
  | {
      readonly kind: 'refit';
      readonly gateway: number;
      readonly source: number;
      readonly how: Refit;
      readonly forMs: number;
    }
  /** A link out for long, and behind it a hub that takes little at a time. */
  | { readonly kind: 'narrow'; readonly gateway: number; readonly forMs: number }
  /** Its own clock is set ahead, and put back later. */
  | {
      readonly kind: 'equipment-clock';
      readonly gateway: number;
      readonly source: number;
      readonly stepMs: number;
      readonly forMs: number;
    };

export interface WorldShape {
  /** Sources of each gateway. */
  readonly gateways: readonly number[];
  /** What is wrong with the clock of each detector, in ms. */
  readonly detectorClocks: readonly number[];
  readonly durationMs: number;
}

type CloudKind = 'upstream' | 'edge-expires' | 'edge-loses' | 'shorten' | 'remake' | 'move' | 'reload';
type Kind = Exclude<Fault['kind'], CloudKind | RareFault['kind'] | 'habit'>;

const weights: readonly (readonly [Kind, number])[] = [
  ['kill', 5],
  ['stop', 3],
  ['power-cut', 6],
  ['link', 7],
  ['flap', 2],
  ['slow-link', 2],
  ['lose', 4],
  ['repeat', 2],
  ['lose-calls', 2],
  ['lose-answers', 2],
  ['unplug', 6],
  ['forget', 1],
  ['disk-full', 2],
  ['disk-error', 2],
  ['clock', 2],
  ['kill-detector', 4],
];

/** In the order of time. */
export function drawFaults(random: Random, shape: WorldShape): readonly Fault[] {
  const count = 2 + randomInt(random, 10);
  const faults = Array.from({ length: count }, () => draw(random, shape));
  const habits = Array.from({ length: randomInt(random, 4) }, () => drawHabit(random, shape));
  const inTheCloud = Array.from({ length: randomInt(random, 5) }, () => drawInTheCloud(random, shape));
  return [...faults, ...habits, ...inTheCloud].sort((a, b) => a.at - b.at);
}

type Rare = Fault & RareFault;

/** By kind, with its weight. Each draws by itself: of `random`, whose numbers are none of the other faults'. */
const rare: readonly (readonly [weight: number, draw: (at: Place, random: Random) => Rare])[] = [
  [2, (at, random) => ({ kind: 'power-cuts', ...at, operations: someCuts(random) })],
  [
    2,
    (at, random) => ({
      ...{ kind: 'boot-1970', ...at },
      forMs: span(random, 1000, 60_000),
      wrongMs: span(random, 500, 120_000),
    }),
  ],
  [
    1,
    (at, random) => ({
      ...{ kind: 'bit-flips', ...at },
      forMs: span(random, 1000, 60_000),
      count: span(random, 1, 20),
    }),
  ],
  [
    2,
    (at, random) => ({
      ...{ kind: 'slow-disk', ...at },
      forMs: span(random, 1000, 120_000),
      opMs: span(random, 5, 2000),
    }),
  ],
  [3, (at, random) => ({ kind: 'key-change', ...at, ...restart(random) })],
  [1, (at, random) => ({ kind: 'key-loss', ...at, ...restart(random) })],
  [3, (at, random) => ({ kind: 'upgrade', ...at, ...restart(random), choice: randomInt(random, 1000) })],
  [1, (at, random) => ({ kind: 'downgrade', ...at, ...restart(random), choice: randomInt(random, 1000) })],
  [
    5,
    (at, random) => ({
      ...{ kind: 'client', ...at },
      trouble: troubles[randomInt(random, troubles.length)]!,
      forMs: span(random, 500, 180_000),
    }),
  ],
  [
    2,
    ({ at }, random) => ({
      kind: 'delay',
      at,
      count: 1 + randomInt(random, 5),
      byMs: span(random, 500, 7_200_000),
    }),
  ],
  [2, (at, random) => ({ kind: 'equipment-restart', ...at, forMs: span(random, 1000, 120_000) })],
  [
    2,
    (at, random) => ({
      ...{ kind: 'equipment-clock', ...at },
      stepMs: span(random, 1000, 200_000),
      forMs: span(random, 1000, 120_000),
    }),
  ],
];

interface Place {
  readonly at: number;
  readonly gateway: number;
  readonly source: number;
}

const troubles: readonly ClientTrouble[] = [
  'unaccepted',
  'mute',
  'forced',
  'hangs',
  'refused',
  'resends',
  'slow-close',
];

const restart = (random: Random) => ({
  forMs: span(random, 200, 60_000),
  isKilled: random.next() < 0.5,
});

const someCuts = (random: Random) =>
  Array.from({ length: 2 + randomInt(random, 4) }, () => span(random, 1, 120));

/** Beside the others, and drawn of other numbers, so that those stay what they were. */
export function drawRare(random: Random, { gateways, durationMs }: WorldShape): readonly Fault[] {
  const most = rare.reduce((sum, [weight]) => sum + weight, 0);
  return Array.from({ length: randomInt(random, 5) }, () => {
    const at = randomInt(random, durationMs);
    const gateway = randomInt(random, gateways.length);
    const source = randomInt(random, gateways[gateway]!);
    let left = randomInt(random, most);
    const [, draw] = rare.find(([weight]) => {
      left -= weight;
      return left < 0;
    })!;
    return draw({ at, gateway, source }, random);
  });
}

const refits: readonly Refit[] = ['asked', 'elsewhere', 'moved'];

/** Beside all others, of other numbers still. */
export function drawNewer(random: Random, { gateways, durationMs }: WorldShape): readonly Fault[] {
  return Array.from({ length: randomInt(random, 4) }, () => {
    const at = randomInt(random, durationMs);
    const gateway = randomInt(random, gateways.length);
    const source = randomInt(random, gateways[gateway]!);
    const [kind, how] = [random.next(), refits[randomInt(random, refits.length)]!];
    if (kind < 0.3) return { kind: 'power-cuts', at, gateway, operations: someCuts(random) };
    // Early, and for long: what waits then takes its time afterwards.
    if (kind < 0.55) {
      const forMs = Math.round(durationMs * 0.4) + randomInt(random, durationMs / 5);
      return { kind: 'narrow', at: Math.round(at / 4), gateway, forMs };
    }
    return { kind: 'refit', at, gateway, source, how, forMs: span(random, 5000, 600_000) };
  });
}

/** Beside the faults: real equipment has them, and they hurt nobody. */
function drawHabit(random: Random, { gateways, durationMs }: WorldShape): Fault {
  const at = randomInt(random, durationMs);
  const gateway = randomInt(random, gateways.length);
  const source = randomInt(random, gateways[gateway]!);
  const habits: readonly ((random: Random) => Habit)[] = [
    (dice) => ({ deafMs: span(dice, 100, 4000) }),
    (dice) => ({ losesEvery: 2 + randomInt(dice, 20) }),
    (dice) => ({ closesEvery: 1 + randomInt(dice, 4) }),
    (dice) => ({ busyEveryMs: span(dice, 2000, 60_000) }),
  ];
  // Each takes as much of the random numbers as the others.
  const habit = habits[randomInt(random, habits.length)]!(random);
  return { kind: 'habit', at, gateway, source, habit, forMs: span(random, 200, 180_000) };
}

const cloudKinds: readonly CloudKind[] = [
  'upstream',
  'edge-expires',
  'edge-loses',
  'shorten',
  'remake',
  'move',
  'reload',
];

function drawInTheCloud(random: Random, { gateways, durationMs }: WorldShape): Fault {
  const kind = cloudKinds[randomInt(random, cloudKinds.length)]!;
  const at = randomInt(random, durationMs);
  const gateway = randomInt(random, gateways.length);
  const forMs = span(random, 2000, 240_000);
  if (kind === 'shorten') return { kind, at, forMs };
  if (kind === 'remake') return { kind, at };
  if (kind === 'move') return { kind, at, gateway };
  if (kind === 'reload') return { kind, at, gateway, choice: randomInt(random, 1000) };
  return { kind, at, gateway, forMs };
}

/** Short ones are as likely as long ones. */
const span = (random: Random, least: number, most: number) =>
  Math.round(least * (most / least) ** random.next());

function draw(random: Random, { gateways, detectorClocks, durationMs }: WorldShape): Fault {
  const kind = drawKind(random);
  const at = randomInt(random, durationMs);
  const gateway = randomInt(random, gateways.length);
  const source = randomInt(random, gateways[gateway]!);
  const forMs = span(random, 200, 180_000);
  switch (kind) {
    case 'kill':
    case 'stop':
      return { kind, at, gateway, forMs };
    case 'power-cut':
      return { kind, at, gateway, forMs, operations: span(random, 1, 400) };
    case 'link':
      return {
        kind,
        at,
        gateway,
        forMs,
        state: (['down', 'silent', 'deaf'] as const)[randomInt(random, 3)]!,
      };
    case 'flap':
      return { kind, at, gateway, times: 2 + randomInt(random, 8) };
    case 'slow-link':
      return { kind, at, gateway, forMs, latencyMs: span(random, 200, 8000) };
    case 'lose':
    case 'repeat':
    case 'lose-calls':
    case 'lose-answers':
      return { kind, at, count: 1 + randomInt(random, 5) };
    case 'unplug':
      return { kind, at, gateway, source, forMs };
    case 'forget':
      return { kind, at, gateway, source };
    case 'disk-full':
    case 'disk-error':
      return { kind, at, gateway, operations: span(random, 1, 200), count: span(random, 1, 60) };
    case 'clock':
      return { kind, at, gateway, stepMs: (random.next() < 0.5 ? -1 : 1) * span(random, 500, 7_200_000) };
    case 'kill-detector':
      return {
        kind,
        at,
        detector: randomInt(random, detectorClocks.length),
        statements: randomInt(random, 30),
        forMs,
      };
  }
}

function drawKind(random: Random): Kind {
  let left = randomInt(
    random,
    weights.reduce((sum, [, weight]) => sum + weight, 0),
  );
  for (const [kind, weight] of weights) {
    if (left < weight) return kind;
    left -= weight;
  }
  return 'kill';
}
