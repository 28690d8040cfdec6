// Probes an instrument: shows its messages as they come or are polled, and what each tag is in them. Unlike a session it
// shows bytes that it could not read, since wrong line settings have a typical look.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import { orAborted } from '../../../kernel/or-aborted.ts';
import { PeerHabits } from '../line/peer-habits.ts';
import type { Probe, ProbedTag, RawValue } from '../probe.ts';
import { framingOf } from './compile-framing.ts';
import type { SerialSourceConfig, SerialTagConfig } from './config.ts';
import { showBytes, toBytes } from './escapes.ts';
import { lookOf } from './line-advice.ts';
import { askBounds } from './memory-bounds.ts';
import type { MessageReader } from './message-reader.ts';
import { kindOf, type OpenStream, peerOf, reopeningOf } from './open-line.ts';
import { compileOpener, compileText, type Message as Opened, type Opener } from './places.ts';
import type { DecodedRecord } from './record-layout.ts';
import { SerialLine } from './serial-line.ts';
import { ask, deafMs } from './session.ts';

export interface ProbeOptions {
  readonly config: SerialSourceConfig;
  readonly messages: MessageReader;
  readonly clock: Clock;
  readonly openStream: OpenStream;
}

/** How long to listen where nobody says how often the instrument talks. */
const defaultPatienceMs = 20_000;
const maxPatienceMs = 55_000;
/** Bytes of what came that are kept to be shown. */
const keptBytes = 200;
const lookEveryMs = 20;

/**
 * Beside the tags it yields `(stamp)` with the record's number or time, and `(history)` with what the memory holds,
 * where these are configured: parentheses keep them apart from tags.
 */
export function createProbe(options: ProbeOptions): Probe {
  return async function* probe(signal) {
    const look = new Look(options);
    try {
      await look.open(signal);
      yield* options.config.poll ? look.ask(signal) : look.listen(signal);
      yield* look.rest();
      yield* look.memory(signal);
    } finally {
      look.close();
    }
  };
}

interface Message {
  readonly content: Buffer;
  readonly record: DecodedRecord;
  readonly tookMs: number;
}

class Look {
  readonly #options: ProbeOptions;
  readonly #opener: Opener;
  readonly #open: Map<string, SerialTagConfig>;
  /** The first of all that came, whatever it is. */
  #heard = Buffer.alloc(0);
  #heardBytes = 0;
  #messages: Message[] = [];
  #lastProblem = '';
  #isStampShown = false;
  #openedAt = 0;
  #line: SerialLine | undefined;
  #tookMs = 0;

  constructor(options: ProbeOptions) {
    this.#options = options;
    this.#opener = compileOpener(options.config.fields);
    this.#open = new Map(options.config.tags.map((tag) => [tag.name, tag]));
  }

  async open(signal: AbortSignal): Promise<void> {
    const { config, clock, openStream } = this.#options;
    const stream = await openStream(config, clock, signal);
    stream.on('data', (chunk: Buffer) => this.#hear(chunk));
    this.#openedAt = clock.monotonic();
    this.#line = new SerialLine({
      stream,
      framing: framingOf(config.framing, config.checksum, config),
      isTalking: config.poll === undefined,
      peer: peerOf(config),
      kind: kindOf(config),
      clock,
      listener: {
        onFrame: (content) => this.#onFrame(content),
        onGarbage: (garbage, why) => {
          this.#lastProblem ||= `${garbage.length} bytes were no message (${why})`;
        },
        onLost() {},
      },
      reopening: reopeningOf(config, { clock, open: openStream, habits: new PeerHabits() }),
    });
    if (config.connectDelayMs > 0) await sleep(clock, config.connectDelayMs, signal);
    if (config.onConnect !== undefined) await this.#line.send(toBytes(config.onConnect));
  }

  close(): void {
    this.#line?.close();
  }

  async *ask(signal: AbortSignal): AsyncGenerator<ProbedTag> {
    const { config, messages, clock } = this.#options;
    const poll = config.poll!;
    const line = this.#line!;
    const commands = [poll.command].flat().map(toBytes);
    for (let command = commands.shift(); command; command = commands.shift()) {
      const sentAt = clock.monotonic();
      let content: Buffer = Buffer.alloc(0);
      const onAnswer = (answer: Buffer) => {
        content = Buffer.from(answer);
      };
      try {
        const work = () => ask({ line, messages, count() {} }, poll, command, { onAnswer });
        const record = await orAborted(line.turns.run('live', work, signal), signal);
        yield* this.#show({ content, record, tookMs: clock.monotonic() - sentAt });
      } catch (error) {
        signal.throwIfAborted();
        if (line.lost) throw line.lost;
        this.#tookMs = clock.monotonic() - sentAt;
        this.#lastProblem = describeError(error);
        if (error instanceof HoldfastError && error.code === 'serial-timeout' && this.#heardBytes === 0) {
          // It may be starting, since its line was opened.
          if (clock.monotonic() - this.#openedAt >= deafMs) throw error;
          commands.unshift(command);
        }
      }
    }
  }

  async *listen(signal: AbortSignal): AsyncGenerator<ProbedTag> {
    const { config, clock } = this.#options;
    const { expectEveryMs } = config;
    const patienceMs = Math.min(
      maxPatienceMs,
      expectEveryMs === undefined ? defaultPatienceMs : 2 * expectEveryMs + 2000,
    );
    while (this.#open.size > 0 && clock.monotonic() - this.#openedAt < patienceMs) {
      for (const message of this.#messages.splice(0)) yield* this.#show(message);
      if (this.#open.size === 0) return;
      if (this.#line!.lost) throw this.#line!.lost;
      await sleep(clock, lookEveryMs, signal);
    }
    this.#tookMs = clock.monotonic() - this.#openedAt;
    this.#lastProblem ||= `nothing for it came within ${Math.round(patienceMs / 1000)} s`;
  }

  /** Tags that no message had. */
  *rest(): Generator<ProbedTag> {
    const came =
      this.#heardBytes === 0
        ? 'not a byte came: is the instrument on, is it the right port, are the wires right?'
        : `${this.#heardBytes} bytes came, the first of them: ${lookOf(this.#heard, kindOf(this.#options.config))}`;
    const isAtAll = this.#open.size === this.#options.config.tags.length;
    const advice =
      isAtAll && this.#heardBytes > 0 ? '; check line settings, framing, checksum and fields' : '';
    for (const tag of this.#open.values()) {
      // It may be there to be written only.
      if (tag.write && tag.column === undefined && tag.from === undefined && tag.at === undefined) continue;
      yield {
        tag: tag.name,
        place: placeOf(tag),
        value: null,
        quality: 'bad:no-answer',
        tookMs: this.#tookMs,
        problem: isAtAll
          ? `${this.#lastProblem || 'no message has it'}; ${came}${advice}`
          : 'others came, and none of the messages had this one: the instrument may not have it, or says it seldom',
      };
    }
  }

  /** What the memory holds, where the instrument can be asked. */
  async *memory(signal: AbortSignal): AsyncGenerator<ProbedTag> {
    const { config, clock } = this.#options;
    const bounds = config.history?.bounds;
    if (!bounds) return;
    const line = this.#line!;
    const sentAt = clock.monotonic();
    const common = { tag: '(history)', place: showBytes(toBytes(bounds.command)) };
    try {
      const work = () => askBounds(line, bounds, config);
      const found = await orAborted(line.turns.run('history', work, signal), signal);
      const value = found ? `records ${found.oldest} to ${found.newest}` : 'no records yet';
      yield { ...common, value, quality: 'good', tookMs: clock.monotonic() - sentAt };
    } catch (error) {
      signal.throwIfAborted();
      const tookMs = clock.monotonic() - sentAt;
      yield { ...common, value: null, quality: 'bad:no-history', tookMs, problem: describeError(error) };
    }
  }

  #hear(chunk: Buffer): void {
    this.#heardBytes += chunk.length;
    if (this.#heard.length < keptBytes)
      this.#heard = Buffer.concat([this.#heard, chunk.subarray(0, keptBytes - this.#heard.length)]);
  }

  #onFrame(content: Buffer): void {
    const { messages, clock, config } = this.#options;
    if (config.poll || this.#messages.length > 1000) return;
    const message = messages.look(content);
    const tookMs = clock.monotonic() - this.#openedAt;
    if (message.kind === 'record')
      this.#messages.push({ content: Buffer.from(content), record: message.record, tookMs });
    else if (message.kind === 'damaged') this.#lastProblem = `no tag is in ${showBytes(content)}`;
  }

  *#show({ content, record, tookMs }: Message): Generator<ProbedTag> {
    const { number, timestamp } = record;
    const common = {
      tookMs,
      ...(timestamp === undefined ? {} : { timestamp }),
    };
    if (!this.#isStampShown && (number ?? timestamp) !== undefined) {
      this.#isStampShown = true;
      const { stamp } = this.#options.config;
      const place = placeOf({ name: 'number', ...(stamp?.number ?? stamp?.timestamp) });
      yield {
        tag: '(stamp)',
        place,
        value: number ?? timestamp!,
        quality: 'good',
        raw: rawOf(content),
        ...common,
      };
    }
    const message = this.#opener(content);
    for (const { tag, value, quality } of record.values) {
      const config = this.#open.get(tag);
      if (!config) continue;
      this.#open.delete(tag);
      const problem = quality === 'good' ? undefined : problemOf(quality, config);
      yield {
        tag,
        place: placeOf(config),
        value,
        quality,
        raw: rawFor(config, message, problem !== undefined),
        ...common,
        ...(problem === undefined ? {} : { problem }),
      };
    }
  }
}

function problemOf(quality: string, tag: SerialTagConfig): string {
  const place = placeOf(tag);
  return quality === 'bad:missing'
    ? `the message has no ${place}: count again, from 0, or check fields.separator`
    : `what stands at ${place} is no ${tag.type ?? 'number'} (${quality}): check the place and the type`;
}

type Placed = Partial<Pick<SerialTagConfig, 'name' | 'group' | 'column' | 'from' | 'length' | 'at'>>;

function placeOf({ name, group, column, from, length = 1, at }: Placed): string {
  if (column !== undefined) return `column ${column}`;
  if (from !== undefined) return `characters ${from}-${from + length - 1}`;
  if (at !== undefined) return `byte ${at}`;
  return `group ${group ?? name}`;
}

/** What stands at the tag's place; where that makes no sense, the whole message shows why. */
function rawFor(tag: SerialTagConfig, message: Opened, isProblem: boolean): RawValue {
  const text = tag.at === undefined && !isProblem ? compileText(tag)(message) : undefined;
  return text === undefined ? rawOf(message.bytes) : { kind: 'text', text: text.slice(0, 200) };
}

/** Text as text: an engineer reads it so in the instrument's manual. */
function rawOf(content: Buffer): RawValue {
  const isText = content.every((byte) => byte >= 32 && byte < 127);
  if (isText) return { kind: 'text', text: content.toString('latin1', 0, 200) };
  return { kind: 'bytes', bytes: Uint8Array.from(content.subarray(0, 256)), length: content.length };
}
