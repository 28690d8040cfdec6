import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { type LogFormat, readLogFormat } from './log-format.ts';
import { createOutageLog, type OutageWords, quotaWords, watchQuota } from './outage-log.ts';
import { createProcessLog } from './pino-log.ts';

function setUp(format: LogFormat = 'json', level = 'info') {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const log = createProcessLog(level, format, clock, { write: (text) => lines.push(text) });
  return { clock, log, lines, entries: () => lines.map((line) => JSON.parse(line)) };
}

describe('the format of the log', () => {
  // As edgeAgent's filter takes a line apart: level, time, text.
  const edgeLine = /^<(\d)> (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \+00:00) \[(DBG|INF|WRN|ERR)\] - (.*)$/;

  it('is what edgeAgent filters by, whatever is said: one line each', () => {
    const { log, lines } = setUp('iotedge', 'debug');
    const nasty = 'first\n<3> 2030-01-01 00:00:00.000 +00:00 [ERR] - forged\u001b[31m';
    log.debug({}, 'fine');
    log.info({ source: 'press', n: 3, text: 'with "quotes" and spaces' }, 'connected');
    log.warn({ code: 'x', reason: nasty }, nasty);
    log.error({ code: 'y', err: new Error('x\ny') }, 'bad');
    expect(lines).toHaveLength(4);
    for (const line of lines) {
      expect(line.endsWith('\n')).toBe(true);
      expect(line.slice(0, -1)).toMatch(edgeLine);
      expect(line.slice(0, -1)).not.toContain('\u001b');
    }
    expect(lines.map((line) => edgeLine.exec(line.trimEnd())![1])).toEqual(['7', '6', '4', '3']);
    expect(lines.map((line) => / code=\w+ /.exec(line)?.[0])).toEqual([
      undefined,
      undefined,
      ' code=x ',
      ' code=y ',
    ]);
    expect(lines[1]).toContain('connected source=press n=3 text="with \\"quotes\\" and spaces"');
  });

  it.each(['iotedge', 'json', 'pretty'] as const)(
    'as %s steers no terminal, wherever the text stands',
    (format) => {
      const { log, lines } = setUp(format);
      const nasty = 'x\u009b2J\u202e\u2028\u0085y\u007f';
      log.warn({ code: 'x', reason: nasty, deep: { tag: [nasty] } }, nasty);
      const [line, ...more] = lines;
      expect(more).toEqual([]);
      expect(line!.slice(0, -1)).not.toMatch(/[\n\u007f-\u009f\u2028-\u202e]/);
      if (format === 'json') expect(JSON.parse(line!)).toMatchObject({ reason: nasty, msg: nasty });
    },
  );

  it('is chosen by the environment, else by who reads: edgeAgent, a person, a program', () => {
    expect(readLogFormat({ IOTEDGE_WORKLOADURI: 'unix:///x' }, false)).toBe('iotedge');
    expect(readLogFormat({ IOTEDGE_WORKLOADURI: 'unix:///x', HOLDFAST_LOG_FORMAT: 'json' }, false)).toBe(
      'json',
    );
    expect(readLogFormat({}, true)).toBe('pretty');
    expect(readLogFormat({ HOLDFAST_LOG_FORMAT: '' }, false)).toBe('json');
    expect(readLogFormat({ HOLDFAST_LOG_FORMAT: 'xml' }, false)).toBeUndefined();
  });
});

describe('repetitions', () => {
  it('of a source that flaps for a day are a few lines and their sum', async () => {
    const { clock, log, lines, entries } = setUp();
    const source = log.child({ part: 'source', source: 'press' });
    for (let n = 0; n < 86_400; n += 10) {
      source.warn({ code: 'modbus-timeout' }, `session lost: no answer from 10.0.0.5:${n}`);
      source.info({}, 'connected');
      await clock.advance(10_000);
    }
    log.flush();
    expect(lines.length).toBeLessThan(2 * 2 * 145 + 20);
    const told = entries().filter(({ level }) => level === 'warn');
    const sum = told.reduce((all, { repeated = 1 }) => all + repeated, 0);
    expect(sum).toBe(8640);
  });

  it('do not keep other lines from being told, nor the same ones of another source', () => {
    const { log, lines } = setUp();
    for (let n = 0; n < 100; n++) log.child({ source: 'a' }).warn({ code: 'x' }, 'session lost');
    log.child({ source: 'b' }).warn({ code: 'x' }, 'session lost');
    log.error({ code: 'disk-hangs' }, 'the disk does not answer');
    expect(lines).toHaveLength(5 + 2);
  });

  it('of all sources of a large site at once hide no other trouble, nor does whoever makes up codes', () => {
    const { log, lines } = setUp();
    for (let n = 0; n < 1000; n++) {
      log.child({ part: 'source', source: `s${n}` }).info({}, 'connected');
      log.child({ part: 'source', source: `s${n}` }).warn({ code: 'modbus-connection-lost' }, 'session lost');
    }
    log.child({ part: 'uplink' }).warn({ code: 'link-down' }, 'the link is down');
    log.child({ part: 'uplink' }).info({}, 'the link is back');
    for (let n = 0; n < 1000; n++) log.warn({ code: `E${n}` }, 'made up');
    log.error({ code: 'disk-refuses' }, 'the disk refuses a commit');
    for (const text of ['the link is down', 'the link is back', 'the disk refuses a commit'])
      expect(lines.filter((line) => line.includes(text))).toHaveLength(1);
    expect(lines.length).toBeLessThan(1100);
  });

  it('are told in full again after a quiet time', async () => {
    const { clock, log, lines } = setUp();
    for (let n = 0; n < 5; n++) log.warn({ code: 'x' }, 'x');
    await clock.advance(1_500_000);
    for (let n = 0; n < 5; n++) log.warn({ code: 'x' }, 'x');
    expect(lines).toHaveLength(10);
  });

  it('of endless different texts fill neither disk nor memory', () => {
    const { log, lines } = setUp();
    const letters = (n: number) => [...String(n)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
    for (let n = 0; n < 20_000; n++) log.warn({ code: 'x' }, `garbage ${letters(n)}`);
    expect(lines.length).toBeLessThan(600);
    expect(log.recent().length).toBeLessThanOrEqual(300);
  });
});

describe('an outage', () => {
  function outage(words?: OutageWords) {
    const { clock, log, entries } = setUp();
    let state: { connected: boolean; diagnosis?: string } = { connected: true };
    let listener = () => {};
    let waiting = { messages: 0, bytes: 0, fullInSeconds: 7200 };
    const set = (next: typeof state) => {
      state = next;
      listener();
    };
    const teller = createOutageLog({
      ...(words && { words }),
      clock,
      log,
      state: () => state,
      onState: (heard) => {
        listener = heard;
        return () => {};
      },
      waiting: () => waiting,
    });
    teller.start();
    return {
      clock,
      entries,
      set,
      wait: (messages: number) => (waiting = { ...waiting, messages, bytes: messages * 100 }),
    };
  }

  it('is told when it begins, at growing intervals, at its end, and when what waited is sent', async () => {
    const { clock, entries, set, wait } = outage();
    set({ connected: false, diagnosis: 'no route to the hub' });
    wait(500);
    await clock.advance(3 * 3_600_000 + 60_000);
    const during = entries();
    expect(during.map(({ minutes }) => minutes)).toEqual([undefined, 1, 5, 15, 60, 180]);
    expect(during[0]).toMatchObject({ code: 'link-down', reason: 'no route to the hub', messages: 500 });
    expect(during.at(-1)).toMatchObject({ fullInSeconds: 7200, bytes: 50_000 });
    set({ connected: true });
    await clock.advance(9000);
    wait(2);
    await clock.advance(5000);
    const [back, drained] = entries().slice(during.length);
    expect(back).toMatchObject({ messages: 500, seconds: 3 * 3600 + 60 });
    expect(drained).toMatchObject({
      msg: 'the backlog is drained',
      messages: 500,
      seconds: 10,
      messagesPerSecond: 50,
    });
  });

  it('of the quota is told as that of the link is, in its own words', async () => {
    const { clock, entries, set, wait } = outage(quotaWords);
    set({ connected: false });
    wait(7);
    await clock.advance(70_000);
    set({ connected: true });
    const told = entries();
    expect(told.map(({ msg }) => msg)).toEqual(Object.values(quotaWords).slice(1));
    expect(told[1]).toMatchObject({ code: 'uplink-quota-exceeded', minutes: 1, messages: 7 });
  });

  it('of the quota lasts until the hub takes something, however it seems between two tries', () => {
    let sending: { waitingFor?: string; sent: Record<string, number> } = { sent: { live: 5, backlog: 1 } };
    const isUsedUp = watchQuota(() => sending);
    const seen = [isUsedUp()];
    for (const [waitingFor, live] of [
      ['quota', 5],
      [undefined, 5],
      ['quota', 5],
      [undefined, 6],
      ['quota', 6],
      ['quota', 7],
    ] as const) {
      sending = { ...(waitingFor && { waitingFor }), sent: { live, backlog: 1 } };
      seen.push(isUsedUp());
    }
    expect(seen).toEqual([false, true, true, true, false, true, true]);
  });

  it('that is over within seconds is none', async () => {
    const { clock, entries, set } = outage();
    for (let n = 0; n < 50; n++) {
      set({ connected: false });
      await clock.advance(2000);
      set({ connected: true });
      await clock.advance(2000);
    }
    expect(entries()).toEqual([]);
  });
});
