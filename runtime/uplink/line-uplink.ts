// The uplink of a module without a hub: each message becomes one line of JSON, and counts as acknowledged once its line is
// where lines go. The spool is the same as ever: what could not be written waits in it.
//
// A line holds the message's properties as docs/WIRE.md names them, `messageId`, and, where it has a body, `readings` in the
// form of `readings/1`; what a rule sends to an output of the module has `output` and `body` instead. At least once, as with a hub: a line that a power cut broke off comes again, whole.
import type { Clock } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { momentOf, wallTimeOf } from '../../kernel/moment.ts';
import { decodeBody, encodeBody } from '../../wire/body.ts';
import type { WireMessage } from '../../wire/mini-batch.ts';
import type { EdgeUplink } from './edge-uplink.ts';
import type { UplinkState } from './uplink.ts';

/** Where lines go. */
export interface LineSink {
  /** For people. */
  readonly name: string;
  /** Resolves once the lines (each with its end) will not be lost any more; one call at a time. @throws what the system says. */
  write(lines: string): Promise<void>;
  close(): Promise<void>;
}

export interface LineUplinkOptions {
  readonly sink: LineSink;
  readonly clock: Clock;
  readonly log: Log;
}

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: HoldfastError) => void;
}

export function createLineUplink({ sink, clock, log }: LineUplinkOptions): EdgeUplink {
  const listeners = new Set<(state: UplinkState) => void>();
  const reportedListeners = new Set<(reported: Readonly<Record<string, unknown>>) => void>();
  let state: UplinkState = {
    connected: false,
    since: clock.now(),
    diagnosis: 'not started yet',
    sink: sink.name,
  };
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;
  let isStopped = false;

  /** Of the last change. */
  let changed = momentOf(clock);
  const set = (next: Omit<UplinkState, 'since'>) => {
    changed = momentOf(clock);
    state = { ...next, since: changed.wall };
    for (const listener of listeners) listener(state);
  };

  /** All that waits at once: one sync of the file for many messages. */
  const writeAll = async () => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await sink.write(batch.map(({ line }) => `${line}\n`).join(''));
        for (const { resolve } of batch) resolve();
      } catch (cause) {
        const message = `lines cannot be written: ${describeError(cause)}`;
        const error = new HoldfastError('uplink-output-failed', message, { retryable: true, cause });
        for (const { reject } of batch) reject(error);
      }
    }
  };

  return {
    start() {
      if (isStopped || state.connected) return;
      set({ connected: true, sink: sink.name });
      // No hub knows of an earlier life of this spool.
      for (const listener of reportedListeners) listener({});
    },
    state: () => ({ ...state, since: wallTimeOf(changed, clock) }),
    onState(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async send(message, output) {
      if (!state.connected)
        throw new HoldfastError('uplink-not-connected', 'nothing is written any more', { retryable: true });
      const line = output === undefined ? messageLine(message) : actionLine(message, output);
      return new Promise<void>((resolve, reject) => {
        waiting.push({ line, resolve, reject });
        writing ??= writeAll().finally(() => {
          writing = undefined;
        });
      });
    },
    onReported(listener) {
      reportedListeners.add(listener);
      return () => reportedListeners.delete(listener);
    },
    handleInputs() {
      log.warn(
        { code: 'module-input-silent' },
        'sources of type module-input get no messages: there is no hub',
      );
    },
    // What only a hub calls, asks for or holds.
    handleMethod() {},
    report() {},
    onDesired: () => () => {},
    renew() {},
    reconfigure() {},
    async stop() {
      isStopped = true;
      if (state.connected) set({ connected: false, diagnosis: 'stopped', sink: sink.name });
      await writing;
      await sink.close();
    },
  };
}

/** What another module would get, were there an edgeHub: a row as JSON. */
function actionLine({ messageId, properties, body }: WireMessage, output: string): string {
  return JSON.stringify({
    messageId,
    output,
    ...properties,
    body: JSON.parse(Buffer.from(body).toString('utf8')),
  });
}

/** @throws HoldfastError `uplink-message-refused`, for a message that was not made by this module. */
export function messageLine({ messageId, properties, body, contentEncoding }: WireMessage): string {
  const { schema } = properties;
  if (schema === undefined) return JSON.stringify({ messageId, ...properties });
  const index = properties.index === 'sequence' ? 'sequence' : 'time';
  try {
    const readings = decodeBody(body, { schema, contentEncoding, index });
    const plain = encodeBody(index, readings, { schema: 'readings/1', gzip: false });
    const { schema: _, ...rest } = properties;
    return JSON.stringify({
      messageId,
      ...rest,
      readings: JSON.parse(Buffer.from(plain.body).toString('utf8')),
    });
  } catch (cause) {
    throw new HoldfastError('uplink-message-refused', `no line can be made of ${messageId}`, { cause });
  }
}
