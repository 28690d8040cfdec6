// Modbus TCP on node:net. Requests of one connection may be pipelined; they are answered in order, and all
// answers to one received chunk leave in one write. A peer that does not read its answers is not read from
// either, so a connection holds a bounded amount of memory.
import type { Socket } from 'node:net';
import { systemClock } from '../../kernel/clock.ts';
import type { Device } from './device.ts';
import { spoil } from './garbage.ts';
import { HabitualConnection } from './habits.ts';
import { MbapReader, maxFrameBytes, mbapBytes, writeMbap } from './mbap.ts';
import { type ListenerOptions, type PluggableListener, startListener } from './pluggable-listener.ts';

// Answers that a slow unit holds back for one connection; beyond it the connection is not read from.
const maxDelayed = 256;
// Shared by all connections: it is empty again before any other code runs.
const scratch = Buffer.allocUnsafe(64 * 1024);

export function startModbusServer(device: Device, options: ListenerOptions): Promise<PluggableListener> {
  return startListener(options, (socket) => serve(socket, device));
}

function serve(socket: Socket, device: Device): void {
  const reader = new MbapReader();
  const connection = new HabitualConnection(systemClock.monotonic());
  const delayed = new Set<NodeJS.Timeout>();
  const peer = { write: (bytes: Buffer) => void socket.write(bytes), close: () => socket.destroySoon() };
  let filled = 0;

  const flush = () => {
    if (filled === 0) return;
    const isRoomLeft = socket.write(Buffer.from(scratch.subarray(0, filled)));
    filled = 0;
    if (!isRoomLeft) socket.pause();
  };
  const respond = (transaction: number, unit: number, request: Buffer) => {
    if (scratch.length - filled < maxFrameBytes) flush();
    const garbage = device.garbageFor(unit, 'tcp');
    const habits = device.unitFaults(unit)?.habits;
    const isSpoiled = garbage !== undefined || (habits !== undefined && HabitualConnection.spoils(habits));
    const length = device.answer(unit, request, scratch, filled + mbapBytes, isSpoiled);
    writeMbap(transaction, unit, length, scratch, filled);
    const end = filled + mbapBytes + length;
    if (garbage === undefined && habits === undefined) {
      filled = end;
      return;
    }
    const frame = Buffer.from(scratch.subarray(filled, end));
    flush();
    if (garbage !== undefined) return void socket.write(spoil(garbage, 'tcp', frame, device.random));
    const given = connection.change(habits!, frame);
    if (given) connection.give(habits!, given, systemClock.monotonic(), peer);
  };
  const respondLater = (delayMs: number, transaction: number, unit: number, view: Buffer) => {
    const request = Buffer.from(view);
    const timer = setTimeout(() => {
      delayed.delete(timer);
      respond(transaction, unit, request);
      flush();
      if (delayed.size < maxDelayed && !socket.writableNeedDrain) socket.resume();
    }, delayMs);
    delayed.add(timer);
    if (delayed.size >= maxDelayed) socket.pause();
  };
  const onFrame = (transaction: number, unit: number, request: Buffer) => {
    if (!connection.hears(device.unitFaults(unit)?.habits, systemClock.monotonic())) return;
    if (!device.takes(unit, request)) return;
    const delayMs = device.unitFaults(unit)?.delayMs;
    if (delayMs) respondLater(delayMs, transaction, unit, request);
    else respond(transaction, unit, request);
  };

  socket.on('data', (chunk) => {
    const isModbus = reader.push(chunk, onFrame);
    flush();
    if (!isModbus) socket.destroySoon();
  });
  socket.on('drain', () => {
    if (delayed.size < maxDelayed) socket.resume();
  });
  socket.on('close', () => {
    for (const timer of delayed) clearTimeout(timer);
    connection.stop();
  });
}
