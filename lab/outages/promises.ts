// Records what the module has said is durable, by asking it often enough to see every window, and judges it. Pure: what was
// promised, made and received comes in.
import { covers, normalise, subtract } from '../../wire/coverage.ts';
import { parseIndex } from '../../wire/index-position.ts';
import type { Window } from '../../wire/window.ts';
import { accountStamped } from '../demo/account.ts';
import type { CloudCopy } from '../demo/cloud-copy.ts';
import type { TrueSample } from '../demo/true-sample.ts';

export interface ModuleStatus {
  readonly spool: { readonly lanes: Readonly<Record<string, { readonly messages: number }>> };
  readonly streams: readonly { readonly batchId: string; readonly lastWindow?: readonly [string, string] }[];
}

export interface Promises {
  note(status: ModuleStatus): void;
  /** Per stream, the windows that were durable, merged. */
  all(): ReadonlyMap<string, readonly Window[]>;
  /** The promised windows that began before `before` (epoch ms) and are not in the copy. */
  unkept(copy: CloudCopy, before?: number): string[];
}

export function createPromises(): Promises {
  const promised = new Map<string, readonly Window[]>();
  return {
    note(status) {
      for (const { batchId, lastWindow } of status.streams) {
        if (!lastWindow) continue;
        const [start, end] = [parseIndex('time', lastWindow[0]), parseIndex('time', lastWindow[1])];
        promised.set(batchId, normalise([...(promised.get(batchId) ?? []), { start, end }]));
      }
    },
    all: () => promised,
    unkept(copy, before = Number.POSITIVE_INFINITY) {
      return [...promised].flatMap(([stream, windows]) => {
        const covered = copy.streams().get(stream)?.covered ?? [];
        const due = windows.filter((window) => window.start < before);
        const rest = due.flatMap(({ start, end }) =>
          subtract([{ start, end: Math.min(end, before) }], covered),
        );
        return rest.map(({ start, end }) => `${stream} ${iso(start)} to ${iso(end)}`);
      });
    },
  };
}

const leastObserved = 0.5;

export interface Verdict {
  /** From the first promised window on. */
  readonly samplesMade: number;
  /** Of those, within what was promised: they must have arrived. */
  readonly samplesPromised: number;
  readonly readingsDelivered: number;
  readonly duplicateReadings: number;
  /** What is wrong; empty when nothing is lost, invented or changed. */
  readonly problems: readonly string[];
}

/** `truth`: every sample that the unit made. */
export function judgeStream(
  stream: string,
  promised: readonly Window[],
  truth: readonly TrueSample[],
  copy: CloudCopy,
): Verdict {
  // A sample that no poll has seen, on a machine that was too busy, is a break that the module states itself:
  // not an outage's loss. What it had, it promised.
  const made = truth.filter(({ at }) => at >= (promised[0]?.start ?? Number.POSITIVE_INFINITY));
  const seen = made.filter(({ at }) => covers(promised, { start: at, end: at + 1 }));
  const received = copy.streams().get(stream);
  const account = accountStamped({
    stream,
    truth,
    copy: received,
    logReachesBackTo: Number.POSITIVE_INFINITY,
  });
  const missing = seen.filter(({ at, values }) => {
    const tags = received?.readings.get(at);
    return Object.keys(values).some((tag) => !tags?.has(tag));
  });
  return {
    samplesMade: made.length,
    samplesPromised: seen.length,
    readingsDelivered: account.delivered,
    duplicateReadings: account.duplicates,
    problems: [
      ...account.problems,
      // Nothing promised would be nothing lost.
      ...(seen.length < made.length * leastObserved || seen.length === 0
        ? [`only ${seen.length} of ${made.length} samples were observed`]
        : []),
      ...(missing.length > 0
        ? [`${missing.length} promised samples are missing, the first of ${iso(missing[0]!.at)}`]
        : []),
      ...account.missingRanges
        .filter(({ why }) => why === 'not in the window that claims them')
        .map(({ why }) => `samples are ${why}`),
      ...(account.invented > 0 ? [`${account.invented} readings are invented`] : []),
      ...(account.changed > 0 ? [`${account.changed} readings are changed`] : []),
      ...(received && received.voids.length > 0 ? [`${received.voids.length} voids were declared`] : []),
    ].map((problem) => `${stream}: ${problem}`),
  };
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
