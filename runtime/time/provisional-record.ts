// One record of the provisional journal: events of several streams, in the order in which they came, with local
// times. JSON, so that a person can read what waits; readings as arrays, for size.
import type { Quality, Reading, Value } from '../../wire/reading.ts';
import { Continuation } from '../sources/continuation.ts';
import type { SourceEvent } from '../sources/source.ts';

export interface StreamEvent {
  readonly batchId: string;
  readonly event: SourceEvent;
}

type Packed =
  | [string, 's', number]
  /** Observation goes on: the wall clock is no longer trusted, the local clock went on. */
  | [string, 'c', number]
  | [string, 'o', number, number?]
  | [string, 'b', number, string]
  /** `l`: late ones, which belong to nothing that is observed. */
  | [string, 'r' | 'l', [number, string, Value, Quality][]];

export interface ProvisionalBatch {
  readonly bootId: string;
  readonly events: readonly StreamEvent[];
}

export function packEvent({ batchId, event }: StreamEvent): string {
  return JSON.stringify(pack(batchId, event));
}

/** `events` as `packEvent` gives them. */
export function packBatch(bootId: string, events: readonly string[]): Uint8Array {
  return Buffer.from(`{"boot":${JSON.stringify(bootId)},"events":[${events.join()}]}`);
}

export function unpackBatch(payload: Uint8Array): ProvisionalBatch {
  const { boot, events } = JSON.parse(Buffer.from(payload).toString('utf8'));
  return { bootId: boot, events: (events as Packed[]).map(unpack) };
}

function pack(batchId: string, event: SourceEvent): Packed {
  switch (event.kind) {
    case 'resumed':
      // What a sender's numbers proved is of another process by the time that it is placed: it counts as a hole.
      return [batchId, event.continues?.because === 'own-clock' ? 'c' : 's', event.at];
    case 'observed':
      return event.number === undefined
        ? [batchId, 'o', event.until]
        : [batchId, 'o', event.until, event.number];
    case 'broken':
      return [batchId, 'b', event.at, event.reason];
    case 'readings':
      return [
        batchId,
        event.isLate ? 'l' : 'r',
        event.readings.map(({ index, tag, value, quality }) => [index, tag, value, quality]),
      ];
  }
}

function unpack(packed: Packed): StreamEvent {
  const [batchId, kind] = packed;
  switch (kind) {
    case 's':
      return { batchId, event: { kind: 'resumed', at: packed[2] } };
    case 'c':
      return { batchId, event: { kind: 'resumed', at: packed[2], continues: Continuation.ownClock() } };
    case 'o':
      return { batchId, event: { kind: 'observed', until: packed[2], number: packed[3] } };
    case 'b':
      return { batchId, event: { kind: 'broken', at: packed[2], reason: packed[3] } };
    case 'r':
      return { batchId, event: { kind: 'readings', readings: packed[2].map(toReading) } };
    case 'l':
      return { batchId, event: { kind: 'readings', readings: packed[2].map(toReading), isLate: true } };
  }
}

function toReading([index, tag, value, quality]: [number, string, Value, Quality]): Reading {
  return { index, tag, value, quality };
}
