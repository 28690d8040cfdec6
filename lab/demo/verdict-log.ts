// What the cloud received of a rule's stream: each verdict with the moment of its arrival, and what became of its action.
import type { CloudMessage } from './cloud-copy.ts';

export interface ReceivedVerdict {
  /** Epoch ms: of the last event in its window, and of the first arrival. */
  readonly maxEventTime: number;
  readonly arrived: number;
  /** It says that all it rests on was known. */
  readonly isWhole: boolean;
  /** Windows that hold it, by their bounds: a message that is sent again adds none. */
  readonly places: Set<string>;
}

export interface Received {
  /** By the end of their window, epoch ms. */
  readonly verdicts: ReadonlyMap<number, ReceivedVerdict>;
  /** By the id of the action. */
  readonly outcomes: ReadonlyMap<string, string>;
}

export interface VerdictLog extends Received {
  take(message: CloudMessage, arrived: number): void;
}

export function createVerdictLog(stream: string): VerdictLog {
  const verdicts = new Map<number, ReceivedVerdict>();
  const outcomes = new Map<string, string>();
  return {
    verdicts,
    outcomes,
    take({ batchId, window, content }, arrived) {
      if (batchId !== stream || (content.kind !== 'batch' && content.kind !== 'late')) return;
      const place = `${content.kind} ${window.start}-${window.end}`;
      for (const { index, tag, value, quality } of content.readings) {
        if (tag === 'maxEventTime') {
          const isWhole = quality === 'good';
          const fresh = {
            maxEventTime: Date.parse(String(value)),
            arrived,
            isWhole,
            places: new Set<string>(),
          };
          const known = verdicts.get(index) ?? fresh;
          known.places.add(place);
          verdicts.set(index, known);
        } else if (tag.startsWith('action')) {
          const { id, outcome } = value as { id?: unknown; outcome?: unknown };
          outcomes.set(String(id), String(outcome));
        }
      }
    },
  };
}
