// The serial logger: an instrument that numbers and stamps its records, prints each as it makes it, remembers the last
// ones, and dumps them by command. Behind a raw TCP port as a serial server gives it, and, where a path is asked for,
// behind a serial port (a pseudo terminal). It keeps the truth of all it ever made. Composition only.
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { seededRandom } from '../../kernel/random.ts';
import { type ControlledPlant, controlPortOf, startControl } from './control.ts';
import { answerCommand } from './logger-commands.ts';
import {
  chooseSpoiler,
  type LoggerFaults,
  type LoggerFaultsPatch,
  mergeLoggerFaults,
  spoilLine,
} from './logger-faults.ts';
import { LoggerMemory } from './logger-memory.ts';
import { LoggerPort } from './logger-port.ts';
import { type LoggerValues, loggerUnit, loggerValues, recordLine } from './logger-record.ts';
import { type PluggableListener, startListener } from './pluggable-listener.ts';
import { openSerialPort, type SerialPort } from './rtu-pty.ts';
import { startScanSchedule } from './scan-schedule.ts';
import { Truth, type TruthQuery } from './truth.ts';

export interface LoggerOptions {
  /** Default 1. Same seed, same values by record number. */
  readonly seed?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Raw TCP port; 0, the default, takes a free one. */
  readonly port?: number;
  /** HTTP port on loopback; 0, the default, takes a free one. */
  readonly controlPort?: number;
  /** Where the serial port (a link to a pseudo terminal) is to appear. Absent: none. Needs socat. */
  readonly path?: string;
  /** Paces the line; 0, the default: as fast as it goes. */
  readonly baud?: number;
  /** Time between records. Default 200. */
  readonly scanMs?: number;
  /** Records that the memory holds. Default 3000. */
  readonly capacity?: number;
  /** Records made before the start. Default 0. */
  readonly prefill?: number;
  /** The number after which the counter starts again at 1. Default 999,999. */
  readonly lastNumber?: number;
  /** Prints each record as it makes it. Default true; otherwise it is asked with READ. */
  readonly talks?: boolean;
  /** For tests. */
  readonly clock?: Clock;
}

/** What the ready line says. */
export interface LoggerInfo {
  readonly host: string;
  readonly port: number;
  readonly path?: string;
  readonly controlPort: number;
  readonly seed: number;
  readonly scanMs: number;
  readonly unit: number;
  readonly capacity: number;
  readonly lastNumber: number;
  readonly talks: boolean;
}

/** `number` is the position: all records ever made are counted, over resets and starts of the counter. */
export interface LoggerTruth {
  readonly unit: number;
  readonly number: number;
  readonly timestamp: number;
  readonly values: LoggerValues;
}

export interface Logger extends Omit<ControlledPlant, 'truth' | 'setFaults'> {
  readonly info: LoggerInfo;
  truth(unit?: number, query?: TruthQuery): Iterable<LoggerTruth>;
  /** Resolves once it is in force. */
  setFaults(patch: LoggerFaultsPatch): Promise<LoggerFaults>;
  /** The memory is cleared and the counter starts again at 1. */
  resetCounter(): void;
  /** Releases ports and timers. */
  stop(): Promise<void>;
}

const maxConnections = 8;

export async function startLogger(options: LoggerOptions = {}): Promise<Logger> {
  const clock = options.clock ?? systemClock;
  const device = new LoggerDevice(options);
  const host = options.host ?? '127.0.0.1';
  const server = await startListener({ host, port: options.port ?? 0, maxConnections }, (socket) => {
    const port = new LoggerPort(socket, device.portOptions(options.baud ?? 0));
    device.ports.add(port);
    socket.on('close', () => device.ports.delete(port));
  });
  const line = new LoggerLine(server, options.path);
  const schedule = startScanSchedule(
    { clock, periodMs: device.scanMs, prefillSlots: options.prefill ?? 0 },
    (at) => device.scan(at),
  );
  const release = async () => {
    schedule.stop();
    await line.unplug();
  };
  try {
    await line.plug();
    const controlled = controlledLogger(device, line, server, schedule);
    const control = await startControl(controlled as ControlledPlant, options.controlPort ?? 0);
    return {
      ...controlled,
      info: {
        host,
        port: server.port,
        ...(options.path === undefined ? {} : { path: options.path }),
        controlPort: controlPortOf(control),
        ...device.info,
      },
      async stop() {
        await release();
        control.closeAllConnections();
        await new Promise<void>((resolve) => control.close(() => resolve()));
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** What a wire leads to: the TCP port, and the serial port before it. */
class LoggerLine {
  readonly #server: PluggableListener;
  readonly #path: string | undefined;
  #serialPort: SerialPort | undefined;

  constructor(server: PluggableListener, path: string | undefined) {
    this.#server = server;
    this.#path = path;
  }

  async unplug(): Promise<void> {
    await this.#serialPort?.close();
    this.#serialPort = undefined;
    await this.#server.unplug();
  }

  async plug(): Promise<void> {
    await this.#server.plug();
    if (this.#path !== undefined) this.#serialPort ??= await openSerialPort(this.#path, this.#server.port);
  }
}

class LoggerDevice {
  readonly scanMs: number;
  readonly ports = new Set<LoggerPort>();
  readonly memory: LoggerMemory;
  readonly truth: Truth;
  readonly settings = new Map([
    ['LIMIT', '0'],
    ['RATE', '1'],
  ]);
  faults: LoggerFaults = {};
  clockOffsetMs = 0;
  readonly #seed: number;
  readonly #span: number;
  readonly #random;
  #talks: boolean;
  #position = 0;
  #spoiled = 0;
  #commands = 0;

  constructor({
    seed = 1,
    scanMs = 200,
    capacity = 3000,
    lastNumber = 999_999,
    talks = true,
  }: LoggerOptions) {
    this.scanMs = scanMs;
    this.#seed = seed;
    this.#span = lastNumber;
    this.#talks = talks;
    this.#random = seededRandom(seed);
    this.memory = new LoggerMemory(Math.min(capacity, lastNumber));
    this.truth = new Truth({ seed, unit: loggerUnit, stepMs: scanMs });
  }

  get info() {
    const { scanMs, memory } = this;
    return {
      seed: this.#seed,
      scanMs,
      unit: loggerUnit,
      capacity: memory.capacity,
      lastNumber: this.#span,
      talks: this.#talks,
    };
  }

  get state() {
    return {
      ...this.info,
      name: 'logger',
      samples: this.#position,
      ...this.memory.range,
      shownNumber: this.#position === 0 ? 0 : this.#shown(this.#position),
      clockOffsetMs: this.clockOffsetMs,
      commands: this.#commands,
      spoiled: this.#spoiled,
      forgotten: this.truth.forgotten,
      settings: Object.fromEntries(this.settings),
    };
  }

  scan(at: number): void {
    if (this.faults.off) return;
    this.#position += 1;
    const record = { position: this.#position, timestamp: at + this.clockOffsetMs };
    this.memory.append(record);
    this.truth.add(record.position, record.timestamp);
    if (!this.#talks) return;
    const line = recordLine('$LOG', this.#seed, record, this.#shown(record.position));
    for (const port of this.ports) port.talk(line);
  }

  resetCounter(): void {
    this.memory.erase();
    this.#position = Math.ceil(this.#position / this.#span) * this.#span;
  }

  setFaults(patch: unknown): LoggerFaults {
    this.faults = mergeLoggerFaults(this.faults, patch);
    this.memory.limit(this.faults.historyRecords ?? null);
    return this.faults;
  }

  *samples(query: TruthQuery = {}): Generator<LoggerTruth> {
    for (const { unit, number, timestamp } of this.truth.samples(query))
      yield { unit, number, timestamp, values: loggerValues(this.#seed, number) };
  }

  portOptions(baud: number) {
    return {
      baud,
      delayMs: () => this.faults.delayMs ?? 0,
      answer: (command: string) => this.#answer(command),
      onWire: (line: string) => this.#onWire(line),
    };
  }

  *#answer(command: string): Generator<string> {
    this.#commands += 1;
    const answer = answerCommand(this.faults.refusing ? 'refused' : command, {
      seed: this.#seed,
      memory: this.memory,
      settings: this.settings,
      shownNumber: (position) => this.#shown(position),
      positionOf: (number) => this.#positionOf(number),
      setTalking: (talks) => {
        this.#talks = talks;
      },
    });
    for (const line of answer) {
      if (this.faults.cutDumps && line.startsWith('$END')) return;
      yield line;
    }
  }

  #onWire(line: string): Buffer | undefined {
    if (this.faults.silent || this.faults.off) return undefined;
    const kind = chooseSpoiler(this.faults.garbage, this.#spoiled, this.#random);
    if (!kind) return Buffer.from(`${line}${this.faults.between ?? ''}`, 'latin1');
    this.#spoiled += 1;
    return spoilLine(kind, line, this.#random);
  }

  #shown(position: number): number {
    return ((position - 1) % this.#span) + 1;
  }

  /** The memory holds less than a round of the counter: at most one position has this number. */
  #positionOf(number: number): number | undefined {
    const { oldest, newest } = this.memory.range;
    if (oldest > newest || number < 1 || number > this.#span) return undefined;
    const ahead = (((number - this.#shown(oldest)) % this.#span) + this.#span) % this.#span;
    return oldest + ahead <= newest ? oldest + ahead : undefined;
  }
}

function controlledLogger(
  device: LoggerDevice,
  line: LoggerLine,
  server: PluggableListener,
  schedule: { stop(): void },
): Omit<Logger, 'info' | 'stop'> {
  let isSampling = true;
  // One after the other: unplug and plug at the same time would race for the port.
  let plugging: Promise<void> = Promise.resolve();
  const checkUnit = (unit: number = loggerUnit) => {
    if (unit !== loggerUnit) throw new RangeError(`there is no unit ${unit}; there is ${loggerUnit}`);
  };
  return {
    state: () => ({
      isSampling,
      isListening: server.isListening,
      connections: server.connections,
      faults: device.faults,
      units: { [loggerUnit]: device.state },
    }),
    faults: () => device.faults,
    async setFaults(patch) {
      const faults = device.setFaults(patch);
      plugging = plugging.catch(() => {}).then(() => (faults.unplugged ? line.unplug() : line.plug()));
      await plugging;
      return faults;
    },
    truth(unit, query) {
      checkUnit(unit);
      return device.samples(query);
    },
    shown(unit) {
      checkUnit(unit);
      throw new RangeError(`unit ${unit} stamps its own samples: ask /truth`);
    },
    dropConnections: () => server.dropConnections(),
    eraseLog(unit) {
      checkUnit(unit);
      device.memory.erase();
    },
    resetCounter: () => device.resetCounter(),
    stepClock(stepMs, unit) {
      checkUnit(unit);
      device.clockOffsetMs += stepMs;
    },
    stopSampling() {
      isSampling = false;
      schedule.stop();
    },
  };
}
