// Other modules as a source: what they send to one of this module's inputs becomes a stream. A message is settled only
// once its readings are durable: until then the hub keeps it, and sends it again after a crash.
//
// Nothing blocks the sender for good. The hub delivers to a module one message after the other, so a message that makes
// no sense must be settled like any other, or nothing would come behind it until it expires. It is not lost for that:
// it becomes a reading itself, of the tag `refusedTag`, with its text and the reason.
import type { Clock, Timer } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { InputMessage } from '../../uplink/uplink.ts';
import type { StreamStart } from '../../windows/window-store.ts';
import type { Inputs } from '../inputs.ts';
import { PolledIndex } from '../polled-index.ts';
import type { Source, SourceSink } from '../source.ts';
import type { ModuleInputConfig } from './config.ts';
import { InputStream, placeSamples } from './input-stream.ts';
import { createMessageReader, type MessageReader, type ReadMessage } from './message-reader.ts';
import { markOf, RecentMessages } from './recent-messages.ts';

export interface ModuleInputDeps {
  readonly inputs: Inputs;
  readonly clock: Clock;
  /** What readings are stamped with that carry no time of their own. Default: `clock`. */
  readonly stampClock?: Clock;
  /** Bound to the source's name. */
  readonly log: Log;
  readonly metrics: Metrics;
  /** The state of the stream before this start. */
  readonly start?: () => StreamStart | undefined;
}

export function createModuleInputSource(config: ModuleInputConfig, deps: ModuleInputDeps): Source {
  return new ModuleInputSource(config, deps);
}

/** The source gives up by itself before the supervisor does it. */
const silenceMarginMs = 5000;
/** Messages of one time come together. */
const leastQuietMs = 100;
/** A refused message is kept up to here. */
const maxKeptChars = 8192;
/** Clocks of senders that are wrong by decades would end the stream for as long. */
const maxAheadMs = 10 * 365 * 86_400_000;
/** Before this the gateway's own clock was never set, and proves nothing. */
const plausibleSince = Date.UTC(2024, 0, 1);

class ModuleInputSource implements Source {
  readonly index = 'time';
  readonly stampedByGateway: boolean;
  readonly isUnordered: boolean;
  readonly queued: { readonly silenceMs: number };
  readonly silenceLimitMs: number;
  /** Short, since to listen again costs nothing, and edgeHub waits for an answer meanwhile. */
  readonly backoff = { minMs: 100, maxMs: 1000 };
  readonly #config: ModuleInputConfig;
  readonly #deps: ModuleInputDeps;
  readonly #read: MessageReader;
  // These outlive sessions: what came, and how far, does not change because the sender was silent for a while.
  readonly #recent = new RecentMessages();
  readonly #arrival: PolledIndex;
  #stream: InputStream | undefined;
  #hasRefused = false;
  #wasHeard = false;
  #saidNumber = false;

  constructor(config: ModuleInputConfig, deps: ModuleInputDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#read = createMessageReader(config);
    this.stampedByGateway = config.time === undefined && config.format !== 'readings/1';
    this.isUnordered = !this.stampedByGateway;
    this.queued = { silenceMs: config.silenceMs };
    this.silenceLimitMs = config.silenceMs + silenceMarginMs;
    this.#arrival = new PolledIndex(deps.stampClock ?? deps.clock);
  }

  run(sink: SourceSink, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { inputs, clock } = this.#deps;
    const { input, silenceMs, latenessMs } = this.#config;
    const stream = this.#openStream();
    stream.begin(sink);
    return new Promise((resolve, reject) => {
      let timers: readonly Timer[] = [];
      const rest = () => {
        for (const timer of timers) timer.cancel();
      };
      const watch = () => {
        rest();
        const onSilence = () => {
          end();
          reject(silent(input, silenceMs, this.#wasHeard));
        };
        const quietMs = Math.max(latenessMs, leastQuietMs);
        timers = [
          clock.setTimer(silenceMs, onSilence),
          ...(quietMs < silenceMs ? [clock.setTimer(quietMs, () => stream.quiet())] : []),
        ];
      };
      const stopListening = inputs.listen(input, (message) => {
        watch();
        this.#wasHeard = true;
        return this.#take(message, stream, sink);
      });
      const end = () => {
        rest();
        stopListening();
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = () => {
        end();
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      watch();
    });
  }

  async #take(message: InputMessage, stream: InputStream, sink: SourceSink): Promise<void> {
    // Given back rather than dropped: the hub keeps it until there is room.
    if (sink.hasRoom?.() === false) throw this.#noRoom();
    const read = this.#judge(this.#read(message));
    const isDated = read.sequence !== undefined || (read.ok && read.samples.some(({ time }) => time));
    const mark = markOf(message);
    if (this.#recent.has(mark, isDated)) {
      this.#count('holdfast_module_input_repeated_total');
    } else {
      const isTaken = this.#hand(read, message, stream);
      // There was room for a part of the message only: it is sent again.
      if (!isTaken && sink.hasRoom?.() === false) throw this.#noRoom();
      this.#recent.add(mark);
    }
    await sink.durable();
  }

  #openStream(): InputStream {
    const { silenceMs, latenessMs, sequence } = this.#config;
    const { floor, seen, number } = this.#deps.start?.() ?? {};
    this.#stream ??= new InputStream({
      silenceMs,
      latenessMs: this.stampedByGateway ? undefined : latenessMs,
      isNumbered: sequence !== undefined,
      start: {
        // Where messages are stamped on arrival, an earlier stamp says nothing about them.
        ...(floor !== undefined && !this.stampedByGateway && { floor }),
        ...(seen !== undefined && !this.stampedByGateway && { seen }),
        ...(number !== undefined && { number }),
      },
    });
    return this.#stream;
  }

  #noRoom(): HoldfastError {
    this.#count('holdfast_module_input_given_back_total');
    return new HoldfastError('module-input-no-room', 'the disk takes nothing at the moment', {
      retryable: true,
    });
  }

  #judge(read: ReadMessage): ReadMessage {
    if (!read.ok) return read;
    const now = this.#deps.clock.now();
    const isAhead = read.samples.some(({ time }) => time !== undefined && time > now + maxAheadMs);
    if (!isAhead || now < plausibleSince) return read;
    const { sequence } = read;
    const detail = 'its time is more than ten years ahead: is the unit right?';
    return { ok: false, reason: 'time-ahead', detail, ...(sequence !== undefined && { sequence }) };
  }

  /** False where the stream did not take it. */
  #hand(read: ReadMessage, message: InputMessage, stream: InputStream): boolean {
    const { clock } = this.#deps;
    const now = clock.monotonic();
    const arrival = () => this.#arrival.next().index;
    const { sequence: number } = read;
    if (this.#config.sequence && number === undefined) this.#sayWithoutNumber();
    if (read.ok) {
      const isStamped = read.samples.every(({ time }) => time !== undefined);
      return stream.take({ samples: placeSamples(read.samples, isStamped ? 0 : arrival()), number, now });
    }
    this.#sayRefused(read.reason, read.detail);
    const index = this.stampedByGateway ? arrival() : (stream.latest ?? clock.now());
    const value = keptText(message.body);
    return stream.refuse(
      { index, tag: this.#config.refusedTag, value, quality: `bad:${read.reason}` },
      { number, now },
    );
  }

  #sayWithoutNumber(): void {
    this.#count('holdfast_module_input_without_number_total');
    if (this.#saidNumber) return;
    this.#saidNumber = true;
    this.#deps.log.warn(
      { code: 'source-settings-unfit', input: this.#config.input },
      'a message has no whole number up to 2^53 where `sequence` says: its readings are kept, but nothing proves that none is missing',
    );
  }

  #sayRefused(reason: string, detail: string): void {
    this.#count('holdfast_module_input_refused_total', reason);
    const { log } = this.#deps;
    const fields = { input: this.#config.input, reason };
    const message = `a message cannot be read (${detail}): it is kept as a reading of ${this.#config.refusedTag}`;
    // Each time at debug: a sender that never fits would fill the log.
    if (this.#hasRefused) log.debug(fields, message);
    else log.warn({ code: 'source-settings-unfit', ...fields }, message);
    this.#hasRefused = true;
  }

  #count(name: string, reason?: string): void {
    const labels = { source: this.#config.name, ...(reason !== undefined && { reason }) };
    this.#deps.metrics.count(name, labels);
  }
}

/** As text where it is text. */
function keptText(body: Uint8Array): string {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const text = bytes.toString('utf8');
  const isText = !text.includes('\ufffd');
  const kept = isText ? text : `base64:${bytes.toString('base64')}`;
  return kept.length <= maxKeptChars ? kept : `${kept.slice(0, maxKeptChars)}... (${bytes.length} bytes)`;
}

function silent(input: string, silenceMs: number, wasHeard: boolean): HoldfastError {
  // A route that messages came by is there: asking for it would lead astray, above all while the hub is out of reach.
  const hint = wasHeard
    ? 'the sender is silent, or what brings its messages (IoT Edge, the hub) is out of reach'
    : 'does the sender run, and does a route of the deployment lead here?';
  const message = `no message has come to the input '${input}' for ${silenceMs / 1000} s: ${hint}`;
  return new HoldfastError('module-input-silent', message, { retryable: true });
}
