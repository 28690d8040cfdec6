// What the screen shows: plain data, gathered twice a second, so that drawing is a pure function of it.
import type { Coverage } from '../../wire/coverage.ts';

export type Cable = 'up' | 'cut' | 'blackhole' | 'throttle';

export interface StreamView {
  readonly name: string;
  /** Samples that the equipment has made since the demo began. */
  readonly made: number;
  /** Samples (index positions) that the cloud has. */
  readonly arrived: number;
  /** Of them, those that came as an answer to a backfill request. */
  readonly repaired: number;
  /** Milliseconds that are declared void, and that are missing. */
  readonly voidMs: number;
  readonly missingMs: number;
  /** Backfill requests on their way. */
  readonly openRequests: number;
  readonly gapsFound: number;
  readonly gapsClosed: number;
  /** For the timeline. */
  readonly covered: Coverage;
  readonly repairs: Coverage;
  readonly voids: Coverage;
}

export interface ProcessView {
  readonly name: string;
  readonly phase: 'stopped' | 'starting' | 'running' | 'waiting';
  readonly pid?: number;
  readonly restarts: number;
}

export interface LaneView {
  readonly messages: number;
  readonly bytes: number;
}

export interface DemoEvent {
  /** Epoch ms. */
  readonly at: number;
  readonly text: string;
  readonly tone: 'plain' | 'good' | 'bad' | 'key';
  /** How often it came, one after the other. Default: once. */
  readonly times?: number;
}

export interface LiveState {
  /** Epoch ms. */
  readonly now: number;
  readonly startedAt: number;
  readonly dashboardUrl?: string;
  /** Status page of the runtime: another port at each start. */
  readonly statusUrl?: string;
  readonly processes: readonly ProcessView[];
  readonly network: Cable;
  /** From the gateway's hub to the cloud. */
  readonly cloud: Cable;
  readonly device: Cable;
  /** Undefined while the runtime does not answer. */
  readonly runtime?: {
    readonly startedAt: string;
    readonly connected: boolean;
    /** What waits in the spool for the hub to acknowledge it. */
    readonly spooled: LaneView;
    readonly acknowledged: number;
    readonly readings: number;
    readonly jobs: number;
    /** Rows of rules, and actions that were carried out. */
    readonly decided: number;
    readonly carriedOut: number;
  };
  /** Of the demo's rule. */
  readonly rule?: {
    readonly name: string;
    /** As the machine counts its resets. */
    readonly heard: number;
    /** Verdicts that arrived. */
    readonly inCloud: number;
  };
  /** Messages. */
  readonly hub?: { readonly accepted: number; readonly lost: number };
  readonly streams: readonly StreamView[];
  /** Oldest first. */
  readonly events: readonly DemoEvent[];
  /** What the tour does now; absent in the live demo. */
  readonly step?: string;
}

/** What says the same as the event before it counts as that one, once more. */
export function addEvent(events: DemoEvent[], event: DemoEvent, limit: number): void {
  const last = events.at(-1);
  const isSame = last !== undefined && last.text === event.text && last.tone === event.tone;
  if (isSame) events[events.length - 1] = { ...event, times: (last.times ?? 1) + 1 };
  else events.push(event);
  if (events.length > limit) events.shift();
}
