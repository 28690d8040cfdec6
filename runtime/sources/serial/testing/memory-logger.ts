// The plant's logger without its ports: its commands, its memory and its lines, at the other end of a line in memory.
import type { Clock } from '../../../../kernel/clock.ts';
import { seededRandom } from '../../../../kernel/random.ts';
import { answerCommand } from '../../../../lab/plant/logger-commands.ts';
import { type LineSpoiler, spoilLine } from '../../../../lab/plant/logger-faults.ts';
import { LoggerMemory } from '../../../../lab/plant/logger-memory.ts';
import { recordLine } from '../../../../lab/plant/logger-record.ts';
import { MemoryLine } from './memory-line.ts';

export interface MemoryLoggerOptions {
  readonly capacity: number;
  readonly lastNumber: number;
  readonly talks: boolean;
}

export class MemoryLogger {
  readonly line: MemoryLine;
  readonly memory: LoggerMemory;
  readonly commands: string[] = [];
  /** How each line goes onto the wire. */
  onWire: (line: string) => Buffer | undefined = (line) => Buffer.from(line, 'latin1');
  answerAfterMs = 0;
  isRefusing = false;
  position = 0;
  readonly settings = new Map([['LIMIT', '0']]);
  readonly #options: MemoryLoggerOptions;
  readonly #random = seededRandom(7);
  readonly seed = 9;
  #heard = '';

  constructor(clock: Clock, options: MemoryLoggerOptions) {
    this.#options = options;
    this.memory = new LoggerMemory(options.capacity);
    this.line = new MemoryLine(clock, (bytes) => this.#onBytes(bytes));
  }

  sample(timestamp: number): void {
    this.position += 1;
    const record = { position: this.position, timestamp };
    this.memory.append(record);
    if (this.#options.talks) this.#send(recordLine('$LOG', this.seed, record, this.shown(this.position)), 0);
  }

  /** Someone clears it: the counter starts again. */
  reset(): void {
    this.memory.erase();
    this.position = Math.ceil(this.position / this.#options.lastNumber) * this.#options.lastNumber;
  }

  shown(position: number): number {
    return ((position - 1) % this.#options.lastNumber) + 1;
  }

  spoil(kind: LineSpoiler): void {
    this.onWire = (line) => spoilLine(kind, line, this.#random);
  }

  heal(): void {
    this.line.isReachable = true;
    this.onWire = (line) => Buffer.from(line, 'latin1');
    this.answerAfterMs = 0;
    this.isRefusing = false;
  }

  #onBytes(bytes: Buffer): void {
    this.#heard += bytes.toString('latin1');
    for (let at = this.#heard.indexOf('\r\n'); at >= 0; at = this.#heard.indexOf('\r\n')) {
      const command = this.#heard.slice(0, at);
      this.#heard = this.#heard.slice(at + 2);
      this.commands.push(command);
      for (const line of this.#answer(command)) this.#send(line, this.answerAfterMs);
    }
  }

  #answer(command: string): Iterable<string> {
    return answerCommand(this.isRefusing ? '?' : command, {
      seed: this.seed,
      memory: this.memory,
      settings: this.settings,
      shownNumber: (position) => this.shown(position),
      positionOf: (number) => this.#positionOf(number),
      setTalking() {},
    });
  }

  #positionOf(number: number): number | undefined {
    const { oldest, newest } = this.memory.range;
    for (let position = oldest; position <= newest; position++)
      if (this.shown(position) === number) return position;
    return undefined;
  }

  #send(line: string, afterMs: number): void {
    const bytes = this.onWire(line);
    if (bytes) this.line.say(bytes, afterMs);
  }
}
