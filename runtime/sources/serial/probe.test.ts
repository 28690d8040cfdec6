// One look at an instrument: what is shown of each tag, and what a failure leaves visible.
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { ProbedTag } from '../probe.ts';
import { type Instrument, MemoryLine } from './testing/memory-line.ts';
import { run } from './testing/set-up.ts';

function look(config: object, answer: Instrument = () => {}) {
  const clock = new VirtualClock();
  const line = new MemoryLine(clock, answer);
  const { source, abort, ended: running } = run(config, line, clock);
  abort.abort();
  const found: ProbedTag[] = [];
  const ending = new AbortController();
  const ended = running
    .then(async () => {
      for await (const tag of source.probe!(ending.signal)) found.push(tag);
    })
    .catch((error: unknown) => error);
  const byName = () => Object.fromEntries(found.map((tag) => [tag.tag, tag]));
  return { clock, line, ended, found, byName, ending };
}

const scale = {
  fields: { separator: ',' },
  stamp: { number: { column: 0 } },
  tags: [
    { name: 'weight', column: 1 },
    { name: 'unit', column: 2, type: 'string' },
    { name: 'tare', column: 7 },
  ],
};
const poll = { command: 'P\\r', timeoutMs: 300 };

describe('a probe of a serial instrument', () => {
  it('shows each tag with its value, its place, and the text it came as', async () => {
    const { clock, ended, byName, line } = look({ ...scale, poll }, (_, self) =>
      self.say('17,+ 12.5,kg\r\n', 20),
    );
    await clock.advance(1000);
    expect(await ended).toBeUndefined();
    expect(byName()).toMatchObject({
      '(stamp)': { value: 17, place: 'column 0', raw: { kind: 'text', text: '17,+ 12.5,kg' } },
      weight: { value: 12.5, quality: 'good', place: 'column 1', raw: { text: '+ 12.5' }, tookMs: 20 },
      unit: { value: 'kg' },
      tare: {
        value: null,
        quality: 'bad:missing',
        problem: /has no column 7/,
        raw: { text: '17,+ 12.5,kg' },
      },
    });
    expect(line.connections).toBe(0);
  });

  it('waits for an instrument that talks, and ends as soon as each tag was seen', async () => {
    const { clock, ended, byName, line } = look({
      ...scale,
      tags: scale.tags.slice(0, 2),
      expectEveryMs: 5000,
    });
    await clock.advance(3000);
    line.say('18,3,kg\r\n');
    await clock.advance(100);
    expect(await ended).toBeUndefined();
    expect(byName()).toMatchObject({ weight: { value: 3 }, unit: { value: 'kg' } });
  });

  it('shows what came where nothing could be made of it', async () => {
    const { clock, ended, byName } = look({ ...scale, poll }, (_, self) => self.say('\x02garbage\xff'));
    await clock.advance(1000);
    expect(await ended).toBeUndefined();
    expect(byName().weight?.problem).toMatch(/9 bytes came.*<STX>garbage\\xff.*check line settings/);
  });

  it('fails as a whole where nothing answers, or the line is lost', async () => {
    const silent = look({ ...scale, poll });
    await silent.clock.advance(10_000);
    expect(await silent.ended).toMatchObject({ code: 'serial-timeout' });
    const lost = look({ ...scale, poll }, (_, self) => self.cut());
    await lost.clock.advance(1000);
    expect(await lost.ended).toMatchObject({ code: 'serial-connection-lost' });
  });

  it('asks again what starts anew when its line is opened', async () => {
    const { clock, ended, byName } = look({ ...scale, poll }, (_, self) => {
      if (clock.monotonic() > 2500) self.say('17,12.5,kg\r\n', 20);
    });
    await clock.advance(10_000);
    expect(await ended).toBeUndefined();
    expect(byName()).toMatchObject({ weight: { value: 12.5 } });
  });

  it('says of a tag that no message had that others came', async () => {
    const { clock, ended, byName, line } = look({
      fields: { pattern: '^(?<weight>[0-9.]+) kg(?: (?<tare>[0-9.]+) t)?$' },
      tags: [{ name: 'weight' }, { name: 'tare' }],
      expectEveryMs: 1000,
    });
    await clock.advance(1500);
    line.say('1.5 kg\r\n');
    await clock.advance(20_000);
    expect(await ended).toBeUndefined();
    expect(byName().weight).toMatchObject({ value: 1.5, quality: 'good' });
    expect(byName().tare?.problem).toMatch(/others came, and none of the messages had this one/);
  });

  it('says that not a byte came from an instrument that should talk', async () => {
    const { clock, ended, byName } = look({ ...scale, expectEveryMs: 1000 });
    await clock.advance(10_000);
    expect(await ended).toBeUndefined();
    expect(byName().weight?.problem).toMatch(/not a byte came/);
  });

  it('stops when told to', async () => {
    const { clock, ended, ending, line } = look(scale);
    await clock.advance(100);
    ending.abort(new Error('enough'));
    await clock.advance(10);
    expect(await ended).toMatchObject({ message: 'enough' });
    expect(line.connections).toBe(0);
  });
});
