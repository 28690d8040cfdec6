// The logger as a peer sees it, over TCP and through its control port.
import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Logger, type LoggerOptions, startLogger } from './logger.ts';
import { type LineSpoiler, lineSpoilers } from './logger-faults.ts';

let logger: Logger;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await logger.stop();
});

/** A peer that keeps all that it hears. */
async function connect(options: LoggerOptions) {
  logger = await startLogger({ seed: 3, scanMs: 20, ...options });
  const socket = createConnection(logger.info.port, logger.info.host);
  socket.on('error', () => {});
  sockets.push(socket);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  const until = async (pattern: RegExp) => {
    for (let waited = 0; !pattern.test(text); waited += 5) {
      if (waited > 10_000) throw new Error(`never came: ${pattern}, but: ${text.slice(-500)}`);
      await delay(5);
    }
    return text;
  };
  return {
    until,
    text: () => text,
    ask(command: string, end: RegExp) {
      text = '';
      socket.write(`${command}\r\n`);
      return until(end);
    },
  };
}

const sumOf = (line: string) => {
  const [body = '', sum = ''] = line.slice(1).split('*');
  return [...body].reduce((all, char) => all ^ char.charCodeAt(0), 0) === Number.parseInt(sum, 16);
};

describe('the serial logger', () => {
  it('says something of another protocol between its lines', async () => {
    const { until } = await connect({});
    await logger.setFaults({ between: ':A2001\n' });
    expect(await until(/\$LOG,[^\n]*\r\n:A2001\n\$LOG/)).toContain('$LOG');
  });

  it('prints each record as its truth has it, numbers them, and starts again after the last number', async () => {
    const peer = await connect({ lastNumber: 8, prefill: 5 });
    const text = await peer.until(/(\$LOG.*\r\n[\s\S]*){12}/);
    const lines = text.split('\r\n').filter((line) => line !== '');
    const truth = new Map(
      [...logger.truth()].map((sample) => [new Date(sample.timestamp).toISOString(), sample]),
    );
    for (const line of lines.slice(0, 12)) {
      expect(sumOf(line)).toBe(true);
      const [, number, time = '', temperature, pressure, , level, status, label] = line
        .split('*')[0]!
        .split(',');
      const sample = truth.get(time)!;
      expect(Number(number)).toBe(((sample.number - 1) % 8) + 1);
      const { values } = sample;
      expect(values.temperature).toBe(Number(temperature));
      expect(values.pressure).toBe(Number(pressure));
      expect(values.level).toBe(Number(level) || 0);
      expect([values.status, values.label]).toEqual([Number.parseInt(status!, 16), label]);
    }
  });

  it('dumps what it holds by number, over the start of its counter too, and by time', async () => {
    const peer = await connect({ talks: false, lastNumber: 100, capacity: 50, prefill: 120, scanMs: 60_000 });
    expect(await peer.ask('INFO', /\$INF.*\r\n/)).toMatch(/^\$INF,72,21,/);
    const numbersOf = (text: string) =>
      [...text.matchAll(/\$REC,(\d+),/g)].map(([, number]) => Number(number));
    expect(numbersOf(await peer.ask('DUMP 98,3', /\$END.*\r\n/))).toEqual([98, 99, 100, 1, 2, 3]);
    // Older than it holds: from the oldest that it has.
    expect(numbersOf(await peer.ask('DUMP 60,75', /\$END.*\r\n/))).toEqual([72, 73, 74, 75]);
    expect(await peer.ask('DUMP 30,40', /\$END.*\r\n/)).toMatch(/^\$END,0\*/);
    const [first, second] = [...logger.truth(21, { fromNumber: 80, toNumber: 82 })];
    const [from, to] = [first!, second!].map(({ timestamp }) => new Date(timestamp).toISOString());
    expect(numbersOf(await peer.ask(`SPAN ${from},${to}`, /\$END.*\r\n/))).toEqual([80, 81]);
    expect(await peer.ask('SPAN yesterday,today', /\$ERR.*\r\n/)).toMatch(/SPAN from,to/);
    expect(await peer.ask('SET LIMIT=12.5', /\$OK.*\r\n/)).toMatch(/LIMIT=12.5/);
    expect(await peer.ask('nonsense', /\$ERR.*\r\n/)).toMatch(/unknown command/);
    logger.resetCounter();
    expect(await peer.ask('INFO', /\$NONE.*\r\n/)).toMatch(/NONE/);
  });

  it.each<LineSpoiler>(lineSpoilers)('spoils lines on demand: %s', async (kind) => {
    const peer = await connect({});
    await peer.until(/\$LOG.*\r\n/);
    await logger.setFaults({ garbage: kind });
    await delay(150);
    const answer = await fetch(`http://127.0.0.1:${logger.info.controlPort}/faults`);
    expect(await answer.json()).toEqual({ garbage: kind });
    await logger.setFaults({ garbage: null });
    // Some kinds of spoilt lines end with the next sound one.
    const spoilt = peer.text().length;
    while (!/\r\n[\s\S]*\r\n/.test(peer.text().slice(spoilt))) await delay(5);
    const lines = peer.text().split('\r\n').slice(1, -1);
    const bad = lines.filter((line) => !sumOf(line));
    if (kind === 'twice') expect(new Set(lines).size).toBeLessThan(lines.length);
    else expect(bad.length).toBeGreaterThan(0);
  });

  it('can be unplugged, silenced and switched off, and goes on counting unless it is off', async () => {
    const peer = await connect({});
    await peer.until(/\$LOG.*\r\n/);
    const made = () => (logger.state() as { units: Record<string, { samples: number }> }).units[21]!.samples;
    await logger.setFaults({ silent: true });
    await delay(50);
    const [heard, before] = [peer.text().length, made()];
    await delay(100);
    expect(peer.text().length).toBe(heard);
    expect(made()).toBeGreaterThan(before);
    await logger.setFaults({ silent: null, off: true });
    const stopped = made();
    await delay(60);
    expect(made()).toBe(stopped);
    await logger.setFaults({ off: null, unplugged: true });
    await delay(20);
    expect(sockets[0]!.destroyed).toBe(true);
    const bad = await fetch(`http://127.0.0.1:${logger.info.controlPort}/faults`, {
      method: 'POST',
      body: '{"garbage":"no such"}',
    });
    expect(bad.status).toBe(400);
  });
});
