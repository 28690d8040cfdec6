// A peer that nobody here wrote: an instrument in Python with pyserial, at the other end of a real serial port (a pair of
// pseudo terminals), in each framing and with several check sums; written to, and heard talking.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { missingPrograms, missingPythonModules, systemPython } from '../../../test/support/programs.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { serialSourceSchema } from './config.ts';
import { createSerialSource } from './serial-source.ts';
import { openPortPair, type PortPair } from './testing/port-pair.ts';

describe.skipIf(missingPrograms('socat') || missingPythonModules('serial'))(
  'an instrument with pyserial',
  () => {
    let ports: PortPair;
    let instrument: ChildProcess;

    beforeAll(async () => {
      ports = await openPortPair();
      const script = fileURLToPath(new URL('./testing/pyserial_instrument.py', import.meta.url));
      instrument = spawn(systemPython, [script, ports.theirs], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(createInterface(instrument.stdout!), 'line');
    });

    afterAll(() => {
      instrument.kill('SIGKILL');
      ports.close();
    });

    const sourceOf = (config: object) => {
      const parsed = serialSourceSchema.parse({
        name: 'instrument',
        type: 'serial',
        path: ports.ours,
        baudRate: 19_200,
        ...config,
      });
      return createSerialSource(parsed, { clock: systemClock, log: silentLog, metrics: noMetrics });
    };

    /** Runs until so many readings are there; gives the tags of each sample. */
    async function sample(config: object, count: number): Promise<readonly Record<string, unknown>[]> {
      const sink = new RecordingSink();
      const abort = new AbortController();
      let error: unknown;
      const session = sourceOf(config)
        .run(sink, abort.signal)
        .catch((reason: unknown) => {
          error = reason;
        });
      while (sink.readings.length < count && !error) await delay(5);
      abort.abort();
      await session;
      expect(error).toBeUndefined();
      expect(sink.breaches()).toEqual([]);
      // A busy machine may miss a poll; and observation begins behind a first record, which may share its time.
      const reasons = new Set(sink.of('broken').map(({ reason }) => reason));
      expect(
        [...reasons].filter((reason) => !['poll-missed', 'may-share-its-time'].includes(reason)),
      ).toEqual([]);
      const samples = new Map<number, Record<string, unknown>>();
      for (const { index, tag, value } of sink.readings)
        samples.set(index, { ...samples.get(index), [tag]: value });
      return [...samples.values()];
    }

    const asking = (command: string) => ({
      poll: { command: `${command}\\r`, everyMs: 20, timeoutMs: 5000 },
    });

    it('ends its messages with CR LF, behind a sum in hexadecimal', async () => {
      const samples = await sample(
        {
          ...asking('delimiter'),
          checksum: { kind: 'sum8', form: 'hex' },
          fields: { pattern: '^T=(?<t>[.0-9]+);P=(?<p>[0-9]+)$' },
          tags: [{ name: 't' }, { name: 'p' }],
        },
        10,
      );
      for (const { t, p } of samples)
        expect(Math.round(((t as number) - 20) * 100)).toBe((p as number) - 1000);
    });

    it('sends blocks of one length, with a CRC', async () => {
      const samples = await sample(
        {
          ...asking('fixed'),
          framing: { kind: 'fixed', length: 11, start: '\\x55\\xAA', gapMs: 2000 },
          checksum: { kind: 'crc16-xmodem', form: 'big' },
          tags: [
            { name: 'n', at: 2, type: 'int16', order: 'little', scale: -1 },
            { name: 'quarter', at: 4, type: 'float32', order: 'little' },
            { name: 'odd', at: 8, type: 'bit', bit: 0 },
          ],
        },
        15,
      );
      for (const { n, quarter, odd } of samples) {
        expect(quarter).toBe((n as number) / 4);
        expect(odd).toBe((n as number) % 2 === 1);
      }
    });

    it('sends STX, text, ETX, and a BCC behind', async () => {
      const samples = await sample(
        {
          ...asking('start-end'),
          framing: { kind: 'start-end', trailer: 1 },
          checksum: { kind: 'xor', from: 1 },
          stamp: { number: { from: 1, length: 5 } },
          tags: [
            { name: 'w', from: 8, length: 9 },
            { name: 'n', from: 1, length: 5 },
          ],
        },
        10,
      );
      for (const { w, n } of samples) expect(w).toBe((n as number) / 8);
    });

    it('says how long its message is, with an LRC behind', async () => {
      const [first] = await sample(
        {
          ...asking('length-field'),
          framing: { kind: 'length-field', start: '\\xA5', offset: 1, size: 1, add: 3, gapMs: 2000 },
          checksum: { kind: 'lrc', from: 2 },
          stamp: { timestamp: { at: 6, type: 'int64', unit: 'ms' } },
          tags: [
            { name: 'sixteenth', at: 14, type: 'float64' },
            { name: 'n', at: 2, type: 'uint32' },
          ],
        },
        2,
      );
      expect(first!.sixteenth).toBe((first!.n as number) / 16);
    });

    it('sends a message and a pause', async () => {
      const samples = await sample(
        {
          ...asking('silence'),
          framing: { kind: 'silence', gapMs: 200 },
          fields: { separator: 'whitespace' },
          tags: [
            { name: 'n', column: 0 },
            { name: 'square', column: 1 },
            { name: 'on', column: 2, type: 'bool' },
          ],
        },
        6,
      );
      for (const { n, square, on } of samples) expect([square, on]).toEqual([(n as number) ** 2, true]);
    });

    it('talks NMEA once it is greeted', async () => {
      const samples = await sample(
        {
          onConnect: 'talk\\r',
          expectEveryMs: 5000,
          checksum: { kind: 'nmea' },
          fields: { separator: ',' },
          stamp: { number: { column: 1 } },
          tags: [
            { name: 't', startsWith: '$PHOLD', column: 2 },
            { name: 'unit', startsWith: '$PHOLD', column: 3, type: 'string' },
          ],
        },
        20,
      );
      const temperatures = samples.map(({ t }) => Math.round((t as number) * 10));
      for (const [at, t] of temperatures.entries()) expect(t).toBe(temperatures[0]! + at);
      expect(samples.every(({ unit }) => unit === 'C')).toBe(true);
    });

    it('is written to', async () => {
      const config = {
        onConnect: 'hush\\r',
        ...asking('limit?'),
        fields: { pattern: '^LIMIT (?<limit>[.0-9]+)$' },
        refusals: ['ERR'],
        tags: [{ name: 'limit', write: { command: 'limit={value:2}\\r', answer: 'OK', timeoutMs: 5000 } }],
      };
      const source = sourceOf(config);
      const sink = new RecordingSink();
      const abort = new AbortController();
      const session = source.run(sink, abort.signal);
      while (sink.readings.length === 0) await delay(5);
      expect(sink.readings[0]!.value).toBe(7.5);
      await source.write!({ tag: 'limit', value: 12.25, onSend() {} }, abort.signal);
      while (sink.readings.at(-1)!.value !== 12.25) await delay(5);
      abort.abort();
      await session;
    });
  },
);
