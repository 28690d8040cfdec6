// Keeps the twin of one session in sync: subscribes, reads, and sends reported properties. A failing twin does not end the
// connection: an edgeHub that is itself offline takes telemetry and cannot give a twin. So the twin is retried beside the
// sends, and ends the session only if it fails for so long that the library's twin links are suspect.
import { createBackoff } from '../../kernel/backoff.ts';
import { type Clock, sleep } from '../../kernel/clock.ts';
import { codeOf, describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import type { DesiredProperties } from './desired-properties.ts';
import type { EdgeSession } from './edge-session.ts';
import type { TwinObject } from './merge-patch.ts';
import type { ReportedProperties } from './reported-properties.ts';

export interface TwinSyncOptions {
  readonly session: EdgeSession;
  readonly desired: DesiredProperties;
  readonly reported: ReportedProperties;
  /** Called with the twin's reported properties at each reading. */
  readonly onReported: (reported: TwinObject) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface TwinSync {
  /** A change that was pushed. */
  changed(patch: TwinObject): void;
  stop(): void;
}

/** With pauses that grow to 5 minutes, the fifth failure comes after some minutes. */
const suspectAfter = 5;

export function syncTwin(options: TwinSyncOptions): TwinSync {
  const { session, desired, reported, clock, random, log } = options;
  const stopped = new AbortController();
  let reading = false;
  let again = false;

  async function attempt(): Promise<void> {
    // Subscribed first: a change between the two is then either pushed or read.
    await session.watchDesired();
    const twin = await session.readTwin();
    // Before anything is reported: what an earlier process said stands there until then.
    options.onReported(twin.reported);
    desired.read(twin.desired);
    reported.connect((patch) => session.report(patch));
  }

  async function read(): Promise<void> {
    if (reading) {
      again = true;
      return;
    }
    reading = true;
    const backoff = createBackoff({ minMs: 5_000, maxMs: 300_000 }, random);
    for (let failures = 0; !stopped.signal.aborted; ) {
      try {
        again = false;
        await attempt();
        if (!again) break;
      } catch (error) {
        if (stopped.signal.aborted) break;
        log.warn(
          { code: codeOf(error, 'twin-unread'), reason: describeError(error) },
          'the module twin cannot be read; trying again',
        );
        if (++failures >= suspectAfter) session.end(error);
        await sleep(clock, backoff.next(), stopped.signal).catch(() => {});
      }
    }
    reading = false;
  }

  void read();
  return {
    changed(patch) {
      if (!desired.changed(patch)) void read();
    },
    stop() {
      stopped.abort();
      reported.connect(undefined);
    },
  };
}
