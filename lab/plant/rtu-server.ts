// Units on a serial bus: RTU framing over TCP, as a terminal server gives it; rtu-pty.ts puts a pseudo
// terminal before it. A unit that is not there, and a broadcast, get no answer. The bus carries one answer at a
// time, at its own speed.
import type { Socket } from 'node:net';
import { systemClock } from '../../kernel/clock.ts';
import { writeCrc } from './crc.ts';
import type { Device } from './device.ts';
import { spoil } from './garbage.ts';
import { HabitualConnection } from './habits.ts';
import { pause } from './pause.ts';
import { type ListenerOptions, type PluggableListener, startListener } from './pluggable-listener.ts';
import { maxRtuBytes, RtuReader } from './rtu.ts';

export interface RtuServerOptions extends ListenerOptions {
  /** Paces requests and answers as this many bits a second would (11 a byte). 0: as fast as it goes. */
  readonly baud: number;
  /** The bus counts as silent after this long without a byte. */
  readonly silenceMs: number;
}

const broadcast = 0;
const bitsPerByte = 11;
const writeFunctions: readonly number[] = [5, 6, 15, 16, 22];
// Requests that wait for the bus. A master asks one at a time; what is beyond is lost, as on a bus.
const maxWaiting = 16;

export function startRtuServer(device: Device, options: RtuServerOptions): Promise<PluggableListener> {
  return startListener(options, (socket) => serve(socket, device, options));
}

function serve(socket: Socket, device: Device, { baud, silenceMs }: RtuServerOptions): void {
  const reader = new RtuReader();
  const connection = new HabitualConnection(systemClock.monotonic());
  const peer = { write: (bytes: Buffer) => void socket.write(bytes), close: () => socket.destroySoon() };
  const isGone = new AbortController();
  let silence: NodeJS.Timeout | undefined;
  let waiting = 0;
  let bus: Promise<void> = Promise.resolve();

  const bytesMs = (bytes: number) => (baud === 0 ? 0 : (bytes * bitsPerByte * 1000) / baud);
  const onFrame = (unit: number, view: Buffer) => {
    if (unit === broadcast) return tellAll(device, view);
    if (!device.isOnBus(unit) || waiting >= maxWaiting) return;
    if (!connection.hears(device.unitFaults(unit)?.habits, systemClock.monotonic())) return;
    if (!device.takes(unit, view)) return;
    void answer(unit, Buffer.from(view));
  };
  // A slow unit holds up nobody but itself: its late answer comes when others may be talking already. Only
  // sending takes turns.
  const answer = async (unit: number, request: Buffer) => {
    waiting += 1;
    await pause(bytesMs(request.length + 3) + (device.unitFaults(unit)?.delayMs ?? 0), isGone.signal);
    bus = bus.then(async () => {
      if (isGone.signal.aborted) return;
      const frame = answerFrame(device, unit, request);
      await pause(bytesMs(frame.length), isGone.signal);
      if (isGone.signal.aborted) return;
      const habits = device.unitFaults(unit)?.habits;
      if (habits) connection.give(habits, frame, systemClock.monotonic(), peer);
      else socket.write(frame);
    });
    await bus;
    waiting -= 1;
  };
  socket.on('data', (chunk) => {
    clearTimeout(silence);
    if (device.faults.serialEcho) socket.write(chunk);
    reader.push(chunk, onFrame);
    silence = setTimeout(() => reader.silence(onFrame), silenceMs);
  });
  socket.on('close', () => {
    clearTimeout(silence);
    connection.stop();
    isGone.abort();
  });
}

function answerFrame(device: Device, unit: number, request: Buffer): Buffer {
  const out = Buffer.alloc(maxRtuBytes);
  const garbage = device.garbageFor(unit, 'rtu');
  const habits = device.unitFaults(unit)?.habits;
  const isCut = habits?.cutsEvery !== undefined;
  const length = device.answer(unit, request, out, 1, garbage !== undefined || isCut);
  out[0] = unit;
  writeCrc(out, 1 + length);
  const frame = out.subarray(0, 1 + length + 2);
  return garbage === undefined ? frame : spoil(garbage, 'rtu', frame, device.random);
}

/** A broadcast is obeyed by all and answered by none; only writes make sense. */
function tellAll(device: Device, request: Buffer): void {
  if (!writeFunctions.includes(request[0]!)) return;
  const out = Buffer.alloc(maxRtuBytes);
  for (const { unit } of device.units.values()) {
    if (device.isOnBus(unit.id) && device.takes(unit.id, request)) device.answer(unit.id, request, out, 0);
  }
}
