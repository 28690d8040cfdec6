import { describe, expect, it } from 'vitest';
import { createWriteMethod, type WantedWrite, type WriteOutcome } from './write.ts';

const now = Date.UTC(2026, 10, 21);

function setUp(outcome: WriteOutcome = { kind: 'done' }, isAllowed = true) {
  const wanted: WantedWrite[] = [];
  const method = createWriteMethod({
    isAllowed: () => isAllowed,
    newId: () => 'id',
    now: () => now,
    run: async (write) => {
      wanted.push(write);
      return outcome;
    },
  });
  return { method, wanted };
}

const good = { source: 'press', tag: 'setpoint', value: 20 };

describe('the method write', () => {
  it('does not exist where it is not switched on', async () => {
    const { method, wanted } = setUp(undefined, false);
    expect(await method(good)).toMatchObject({ status: 404 });
    expect(wanted).toEqual([]);
  });

  it('writes what it is told, until its deadline', async () => {
    const { method, wanted } = setUp();
    const deadline = new Date(now + 3000).toISOString();
    const answer = await method({ ...good, expected: 18, deadline });
    expect(answer).toEqual({ status: 200, body: { state: 'written', source: 'press', tag: 'setpoint' } });
    await method(good);
    await method({ ...good, deadline: new Date(now + 3_600_000).toISOString() });
    expect(wanted).toMatchObject([
      { ...good, expected: 18, validForMs: 3000 },
      { ...good, validForMs: 10_000 },
      { ...good, validForMs: 50_000 },
    ]);
  });

  it.each([
    ['expected', null],
    ['deadline', null],
    ['expcted', 18],
    ['Expected', 18],
  ])('writes nothing where the condition %s is %j', async (field, value) => {
    const { method, wanted } = setUp();
    expect(await method({ ...good, [field]: value })).toMatchObject({
      status: 400,
      body: { errors: [{ field }] },
    });
    expect(wanted).toEqual([]);
  });

  it('writes nothing once its deadline is over', async () => {
    const { method, wanted } = setUp();
    const answer = await method({ ...good, deadline: new Date(now - 1).toISOString() });
    expect(answer).toMatchObject({ status: 504, body: { state: 'expired' } });
    expect(wanted).toEqual([]);
  });

  it('names every bad field', async () => {
    const { method, wanted } = setUp();
    expect(await method({ source: '', deadline: 'soon' })).toMatchObject({
      status: 400,
      body: { errors: ['source', 'tag', 'value', 'deadline'].map((field) => ({ field })) },
    });
    expect(await method('write')).toMatchObject({ status: 400 });
    expect(wanted).toEqual([]);
  });

  it.each([
    ['refused', 'source-read-only', 403],
    ['refused', 'source-unknown', 404],
    ['refused', 'source-not-as-expected', 409],
    ['refused', 'source-value-out-of-range', 400],
    ['refused', 'rules-too-many-actions', 429],
    ['refused', 'modbus-write-refused', 502],
    ['failed', 'source-not-connected', 503],
    ['expired', 'rules-clock-untrusted', 504],
    ['unconfirmed', 'modbus-timeout', 504],
  ])('answers %s for %s with %i', async (kind, code, status) => {
    const { method } = setUp({ kind, code, message: 'why' });
    expect(await method(good)).toEqual({
      status,
      body: { state: kind, source: 'press', tag: 'setpoint', code, error: 'why' },
    });
  });
});
