import { describe, expect, it } from 'vitest';
import type { Value } from '../../wire/reading.ts';
import { gateWrites } from './write-gate.ts';

function gated() {
  const written: [string, Value][] = [];
  const source = {
    write: async ({ tag, value, onSend }: { tag: string; value: Value; onSend(): void }) => {
      onSend();
      written.push([tag, value]);
    },
  };
  const writable = new Map([
    ['setpoint', { min: -5, max: 80.5 }],
    ['huge', { max: Number.MAX_SAFE_INTEGER }],
    ['free', {}],
  ]);
  const write = gateWrites('press', source, writable);
  return {
    written,
    write: (tag: string, value: Value) => write({ tag, value, onSend() {} }, new AbortController().signal),
  };
}

describe('the gate of all writes', () => {
  it('lets through what the configuration allows, ends of a limit included', async () => {
    const { write, written } = gated();
    for (const value of [-5, 0, 80.5, '7']) await write('setpoint', value);
    await write('free', { any: ['thing'] });
    expect(written).toEqual([
      ['setpoint', -5],
      ['setpoint', 0],
      ['setpoint', 80.5],
      ['setpoint', '7'],
      ['free', { any: ['thing'] }],
    ]);
  });

  it.each([
    ['setpoint', 80.6, 'source-value-out-of-range', "tag 'setpoint' of press: 80.6 is above its max 80.5"],
    ['setpoint', -5.01, 'source-value-out-of-range', "tag 'setpoint' of press: -5.01 is below its min -5"],
    ['setpoint', '81', 'source-value-out-of-range', '"81" is above its max'],
    ['huge', '9007199254740999', 'source-value-out-of-range', 'above its max'],
    ['setpoint', Number.NaN, 'source-value-invalid', "tag 'setpoint'"],
    ['setpoint', Number.POSITIVE_INFINITY, 'source-value-invalid', "tag 'setpoint'"],
    ['setpoint', 'hot', 'source-value-invalid', '"hot" is no number'],
    ['setpoint', null, 'source-value-invalid', 'null is no number'],
    ['setpoint', true, 'source-value-invalid', 'true is no number'],
    ['setpoint', [1], 'source-value-invalid', '[1] is no number'],
    ['level', 1, 'source-read-only', "tag 'level' of press may not be written"],
    ['__proto__', 1, 'source-read-only', 'may not be written'],
  ] as const)('refuses %s = %s with %s, and sends nothing', async (tag, value, code, message) => {
    const { write, written } = gated();
    await expect(write(tag, value as Value)).rejects.toMatchObject({
      code,
      retryable: false,
      message: expect.stringContaining(message),
    });
    expect(written).toEqual([]);
  });

  it('refuses all where the source writes nothing', async () => {
    const write = gateWrites('press', {}, new Map([['setpoint', {}]]));
    const asked = write({ tag: 'setpoint', value: 1, onSend() {} }, new AbortController().signal);
    await expect(asked).rejects.toMatchObject({ code: 'source-read-only' });
  });

  it('is refused as unknown, and not as read-only, where its name is that of no tag', async () => {
    const source = { write: async () => {} };
    const to = (tag: string, tags?: readonly string[]) =>
      gateWrites(
        'press',
        source,
        new Map([['setpoint', {}]]),
        tags,
      )({ tag, value: 1, onSend() {} }, new AbortController().signal);
    const tags = ['setpoint', 'level'];
    await expect(to('setpiont', tags)).rejects.toMatchObject({ code: 'source-unknown-tag' });
    await expect(to('level', tags)).rejects.toMatchObject({ code: 'source-read-only' });
    await expect(to('setpoint', tags)).resolves.toBeUndefined();
    await expect(to('anything')).rejects.toMatchObject({ code: 'source-read-only' });
  });
});
