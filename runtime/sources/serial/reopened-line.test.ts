// Instruments behind a serial server that closes the connection: when it is idle, after each answer, at a bad moment.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { passingStore } from '../learned.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { createSerialSource } from './serial-source.ts';
import { type Instrument, MemoryLine } from './testing/memory-line.ts';
import { parseSource, run } from './testing/set-up.ts';

const server = { path: undefined, host: 'h', port: 4001 };
const scale = {
  ...server,
  fields: { pattern: ['^(?<weight>[-+.0-9]+) kg$', '^(?<tare>[-+.0-9]+) t$'] },
  tags: [{ name: 'weight' }, { name: 'tare' }],
  poll: { command: ['W\\r', 'T\\r'], everyMs: 5000, timeoutMs: 300 },
};
const answerOf = (bytes: Buffer) => (bytes.toString() === 'W\r' ? '1.5 kg\r\n' : '0.2 t\r\n');

function asked(config: object, onBytes: Instrument, learned = passingStore()) {
  const clock = new VirtualClock();
  const line = new MemoryLine(clock, onBytes);
  const running = run(config, line, clock, undefined, undefined, learned);
  const polls = () => new Set(running.sink.readings.map(({ index }) => index)).size;
  return { clock, line, polls, ...running };
}

describe('a serial server that closes the connection', () => {
  it('when it is idle is connected to again with the next poll, and that is no break', async () => {
    const { clock, line, polls, sink, abort, ended } = asked(scale, (bytes, self) => {
      self.say(answerOf(bytes), 20);
      if (bytes.toString() === 'T\r') self.hangUp(2000);
    });
    await clock.advance(61_000);
    expect(polls()).toBe(13);
    expect(line.opened).toBe(13);
    expect(sink.of('broken')).toEqual([]);
    expect(sink.breaches()).toEqual([]);
    abort.abort();
    expect(await ended).toBeUndefined();
  });

  it.each([0, 5])(
    'after each answer, %d ms later, is read with all its commands once that is known',
    async (afterMs) => {
      const clock = new VirtualClock();
      const line = new MemoryLine(clock, (bytes, self) => {
        // What is sent on a connection that is being closed is lost.
        if (line.isClosing) return;
        line.isClosing = true;
        self.say(answerOf(bytes), 20);
        self.hangUp(20 + afterMs);
      });
      const learned = passingStore();
      const sink = new RecordingSink();
      const parts = { clock, log: silentLog, metrics: noMetrics };
      const source = createSerialSource(parseSource(scale), {
        ...parts,
        learned,
        openStream: line.openStream,
      });
      superviseSource({ ...parts, name: 'scale', source, sink, random: seededRandom(1) }).start();
      await clock.advance(30_000);
      expect(learned.get().connection).toMatchObject({ closesAfterAnswer: true });
      const [polls, breaks] = [sink.of('readings').length, sink.of('broken').length];
      await clock.advance(60_000);
      expect(sink.of('readings').length - polls).toBe(12);
      expect(sink.of('broken')).toHaveLength(breaks);
      expect(sink.breaches()).toEqual([]);
    },
  );

  it('before it has answered anything is not connected to again at once', async () => {
    const { clock, line, ended } = asked(scale, (_, self) => self.hangUp());
    await clock.advance(100);
    expect(await ended).toMatchObject({ code: 'serial-connection-lost' });
    expect(line.opened).toBe(1);
  });

  it('while a command waits for its answer ends the session: nothing tells that answer from the next one', async () => {
    let asks = 0;
    const { clock, line, ended } = asked(scale, (bytes, self) => {
      asks += 1;
      if (asks < 3) self.say(answerOf(bytes), 20);
      else self.hangUp();
    });
    await clock.advance(6000);
    expect(await ended).toMatchObject({ code: 'serial-connection-lost' });
    expect(line.opened).toBe(1);
  });

  it('and is gone then ends the session', async () => {
    const { clock, line, ended, sink } = asked(scale, (bytes, self) => {
      self.say(answerOf(bytes), 20);
      if (bytes.toString() === 'T\r') self.hangUp(2000);
    });
    await clock.advance(4000);
    line.isReachable = false;
    await clock.advance(2000);
    expect(await ended).toMatchObject({ code: 'serial-connect-failed' });
    expect(sink.of('readings')).toHaveLength(1);
  });

  it('is sent onConnect on each connection, after connectDelayMs', async () => {
    const config = { ...scale, onConnect: 'HELLO\\r', connectDelayMs: 700 };
    const { clock, line, polls } = asked(config, (bytes, self) => {
      if (bytes.toString() === 'HELLO\r') return;
      self.say(answerOf(bytes), 20);
      if (bytes.toString() === 'T\r') self.hangUp(2000);
    });
    await clock.advance(17_000);
    expect(polls()).toBe(4);
    expect(line.heard.map(String).filter((text) => text === 'HELLO\r')).toHaveLength(line.opened);
  });

  it('ends the session where the instrument talks by itself, or where it is no server but a port', async () => {
    const talking = asked({ ...scale, poll: undefined }, () => {});
    talking.line.say('1.5 kg\r\n');
    talking.line.hangUp();
    await talking.clock.advance(100);
    expect(await talking.ended).toMatchObject({ code: 'serial-connection-lost' });
    const port = asked({ ...scale, path: '/dev/x', host: undefined, port: undefined }, (bytes, self) => {
      self.say(answerOf(bytes), 20);
      if (bytes.toString() === 'T\r') self.hangUp(2000);
    });
    await port.clock.advance(4000);
    expect(await port.ended).toMatchObject({ code: 'serial-connection-lost' });
  });

  it('while an answer is to be proven is listened to on the next connection', async () => {
    let asks = 0;
    const config = { ...scale, poll: { ...scale.poll, command: 'W\\r' } };
    const { clock, line, polls, sink, abort, ended } = asked(config, (bytes, self) => {
      asks += 1;
      // The first is lost, so the next answer has to be proven.
      if (asks === 2) return;
      self.say(answerOf(bytes), 20);
      self.hangUp(25);
    });
    await clock.advance(30_000);
    expect(line.opened).toBeGreaterThan(3);
    expect(polls()).toBeGreaterThanOrEqual(5);
    expect(sink.breaches()).toEqual([]);
    abort.abort();
    expect(await ended).toBeUndefined();
  });
});
