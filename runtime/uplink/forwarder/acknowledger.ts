// Removes acknowledged messages from their lanes: one write at a time, with all acknowledgements that came during the last
// write, or a moment before. A write costs about as much for one message as for fifty; an acknowledgement that is lost when
// the process dies only causes the message to be sent again.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { codeOf } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Lanes, Outgoing } from '../lanes.ts';

export interface AcknowledgerOptions {
  readonly lanes: Pick<Lanes, 'acknowledge'>;
  readonly clock: Clock;
  readonly log: Log;
  /** The disk has taken some: there may be room again. */
  readonly onWritten: () => void;
}

export interface Acknowledger {
  add(entry: Outgoing): void;
  /** Too many acknowledgements wait for the disk: send no more. */
  readonly isFull: boolean;
  /** Resolves when all that was added is written, or has failed once more. */
  flush(): Promise<void>;
}

const maxWaiting = 1_024;
const maxBatch = 256;
const retryMs = 1_000;
const gatherMs = 20;

export function createAcknowledger(options: AcknowledgerOptions): Acknowledger {
  let waiting: Outgoing[] = [];
  let writing: Promise<void> | undefined;
  let closing = false;
  const hurry = new AbortController();

  async function write(): Promise<void> {
    while (waiting.length > 0) {
      if (!closing) await sleep(options.clock, gatherMs, hurry.signal).catch(() => {});
      const batch = waiting.slice(0, maxBatch);
      try {
        await options.lanes.acknowledge(batch);
      } catch (error) {
        options.log.error(
          { code: codeOf(error, 'disk-refuses'), err: error, messages: batch.length },
          'acknowledgements cannot be written; retrying, and after a restart these messages are sent again',
        );
        // Unwritten they are only sent again after a restart. Until then they stay taken, and we try again.
        if (closing) break;
        await sleep(options.clock, retryMs);
        continue;
      }
      waiting = waiting.slice(batch.length);
      options.onWritten();
    }
    // In the same turn as the last look at what waits: what is added from here on starts a new run.
    writing = undefined;
  }

  const run = () => {
    if (waiting.length > 0) writing ??= write();
    return writing;
  };

  return {
    add(entry) {
      waiting.push(entry);
      void run();
    },
    get isFull() {
      return waiting.length >= maxWaiting;
    },
    async flush() {
      closing = true;
      hurry.abort();
      await run();
    },
  };
}
