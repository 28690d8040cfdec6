import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../kernel/errors.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Probe, ProbedTag } from '../sources/probe.ts';
import { FakeSource } from '../sources/testing/fake-source.ts';
import { type ProbedSource, type ProbeTarget, probeSources } from './probe-source.ts';
import { describeProbed, probedJson } from './probe-text.ts';

const tag = (name: string, more: Partial<ProbedTag> = {}): ProbedTag => ({
  tag: name,
  place: 'holding 6-7',
  value: 1.5,
  quality: 'good',
  tookMs: 2.04,
  ...more,
});

function target(name: string, probe: Probe | undefined): ProbeTarget {
  const source = new FakeSource();
  return { name, type: 'fake', make: () => Object.assign(source, probe && { probe }) };
}

const good: Probe = async function* () {
  yield tag('a');
};
const failing: Probe = async function* () {
  yield tag('a');
  throw new HoldfastError('fake-away', 'the equipment is away');
};
/** Does not let go, whatever the signal says. */
const deaf: Probe = async function* () {
  yield tag('a');
  await new Promise(() => {});
};

function start(targets: readonly ProbeTarget[], timeoutMs = 1000) {
  const clock = new VirtualClock();
  const abort = new AbortController();
  const found: ProbedSource[] = [];
  const ended = (async () => {
    for await (const each of probeSources(targets, { timeoutMs, signal: abort.signal, clock }))
      found.push(each);
  })();
  return { clock, abort, found, ended };
}

describe('probing a site', () => {
  it('shows every source, whatever became of the others', async () => {
    const unbuildable: ProbeTarget = {
      name: 'odd',
      type: 'fake',
      make: () => {
        throw new HoldfastError('fake-odd', 'cannot be built');
      },
    };
    const { clock, found, ended } = start([
      target('dead', failing),
      target('deaf', deaf),
      unbuildable,
      target('pushed', undefined),
      target('good', good),
    ]);
    await clock.advance(100);
    expect(found.map(({ name }) => name)).not.toContain('deaf');
    await clock.advance(2000);
    await ended;
    const byName = Object.fromEntries(found.map((each) => [each.name, each]));
    expect(byName.good).toMatchObject({ tags: [{ tag: 'a' }] });
    expect(byName.good?.failure).toBeUndefined();
    expect(byName.dead).toMatchObject({ tags: [{ tag: 'a' }], failure: { code: 'fake-away' } });
    expect(byName.deaf).toMatchObject({ tags: [{ tag: 'a' }], failure: { code: 'probe-timeout' } });
    expect(byName.odd).toMatchObject({ failure: { code: 'fake-odd' } });
    expect(byName.pushed).toMatchObject({ failure: { code: 'probe-not-possible' } });
  });

  it('ends soon after it was told to, also where a source does not let go', async () => {
    const { clock, abort, found, ended } = start([target('deaf', deaf), target('good', good)], 60_000);
    await clock.advance(10);
    abort.abort(new Error('interrupted'));
    await clock.advance(500);
    await ended;
    expect(found.map(({ name }) => name)).toEqual(['good', 'deaf']);
    expect(found[1]?.tags).toHaveLength(1);
  });

  it('begins no more than 16 at once, and gets to all', async () => {
    let running = 0;
    let most = 0;
    const slow: Probe = async function* () {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      yield tag('a');
      running -= 1;
    };
    const { found, ended } = start(Array.from({ length: 50 }, (_, at) => target(`s${at}`, slow)));
    await ended;
    expect(found).toHaveLength(50);
    expect(most).toBe(16);
  });
});

describe('what is shown of a probed source', () => {
  it('has a line a tag, the problem below its tag, and no columns that nothing fills', () => {
    const text = describeProbed({
      name: 'press',
      type: 'modbus-tcp',
      tookMs: 31.26,
      tags: [
        tag('flow', { raw: { kind: 'registers', registers: [0x41b8, 0xe3b] } }),
        tag('gone', { value: null, quality: 'bad:no-answer', problem: 'no answer\u001b[2J', tookMs: 200.4 }),
      ],
      failure: { code: 'modbus-connection-lost', message: 'it closed' },
    });
    expect(text).toMatchInlineSnapshot(`
      "press (modbus-tcp): 1 of 2 good, 31.3 ms
        tag   value  quality          took  from         raw
        flow    1.5  good             2 ms  holding 6-7  41b8 0e3b
        gone   null  bad:no-answer  200 ms  holding 6-7
          ^ no answer?[2J
        modbus-connection-lost: it closed"
    `);
  });

  it('counts the tags that it did not come to', () => {
    const failure = { code: 'modbus-timeout', message: 'it is silent' };
    const bad = tag('gone', { value: null, quality: 'bad:no-answer' });
    const shown = (wanted: number) =>
      describeProbed({ name: 'press', type: 'modbus-tcp', wanted, tookMs: 1, tags: [bad], failure });
    expect(shown(2)).toContain('0 of 2 good, 1 not read');
    expect(shown(1)).toContain('0 of 1 good, 1 ms');
  });

  it('leaves nothing out for programs', () => {
    const raw = { kind: 'bytes', bytes: new Uint8Array([1, 255]), length: 2 } as const;
    const timestamp = Date.UTC(2026, 0, 1);
    const tags = [tag('a', { raw, timestamp })];
    expect(probedJson({ name: 's', type: 'serial', tookMs: 1, tags })).toEqual({
      source: 's',
      type: 'serial',
      tookMs: 1,
      tags: [
        {
          tag: 'a',
          place: 'holding 6-7',
          value: 1.5,
          quality: 'good',
          tookMs: 2,
          timestamp: '2026-01-01T00:00:00.000Z',
          raw: { kind: 'bytes', bytes: '01 ff', length: 2 },
        },
      ],
    });
  });
});
