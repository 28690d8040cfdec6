import { describe, expect, it } from 'vitest';
import { durationMs } from '../../kernel/duration-text.ts';
import { ConfigError } from './config-error.ts';
import { loadValue, parseConfig } from './load.ts';
import { withDurations, withVariables } from './values.ts';

describe('durations', () => {
  it('stand for milliseconds wherever a setting counts them', () => {
    const texts = ['1s', '250ms', '1.5 h', '7d', '5min', '2m', '0s'];
    expect(texts.map(durationMs)).toEqual([1000, 250, 5_400_000, 604_800_000, 300_000, 120_000, 0]);
    for (const text of ['1 sec', 's', '1', '-1s', '1s 2s', '']) expect(durationMs(text)).toBeUndefined();
    const config = parseConfig(
      'sources: []\nwindows: {ageMs: 1s, quietMs: 1min}\nspool: {retention: {archiveMs: 7d}}',
      'x',
    );
    expect(config.windows).toMatchObject({ ageMs: 1000, quietMs: 60_000 });
    expect(config.spool.retention?.archiveMs).toBe(604_800_000);
  });

  it('are written the same in settings, in a rule’s `for` and in its conditions', async () => {
    const tags = [{ name: 't', address: 0, type: 'int16' }];
    const sources = [{ name: 'press', type: 'modbus-tcp', host: 'h', pollMs: 1000, tags }];
    const site = (text: string) => ({
      sources,
      windows: { ageMs: text, quietMs: '1h' },
      rules: [
        { name: 'r', when: `avg(press.t, ${text}) > 3`, for: text, waitMs: text, outputs: ['upstream'] },
      ],
    });
    for (const text of ['250ms', '1s', '1.5s', '5min', '2m', '1h'])
      await expect(loadValue(site(text), 'x')).resolves.toMatchObject({
        config: { rules: [{ for: text, waitMs: durationMs(text) }] },
      });
    for (const text of ['1sec', '5mins', '2w']) {
      const { problems } = (await loadValue(site(text), 'x').catch((error) => error)) as ConfigError;
      expect(problems.map(({ path }) => path)).toEqual(
        expect.arrayContaining(['windows.ageMs', 'rules[0].for', 'rules[0].waitMs']),
      );
    }
  });

  it('are texts everywhere else', () => {
    expect(withDurations({ name: '1s', tags: [{ pollMs: '1s', type: '7d' }] })).toEqual({
      name: '1s',
      tags: [{ pollMs: 1000, type: '7d' }],
    });
  });

  it('and the same duration in other words is the same configuration', async () => {
    const hash = async (ageMs: unknown) => (await loadValue({ sources: [], windows: { ageMs } }, 'x')).hash;
    expect(await hash('1s')).toBe(await hash(1000));
  });
});

describe('variables of the environment', () => {
  const environment = { HOST: '10.0.0.5', PORT: '502', EMPTY: '', ON: 'true' };
  const of = (value: unknown) => withVariables(value, environment);

  it('stand in any text, with a default for those that are not set or empty', () => {
    expect(
      of({ a: 'opc.tcp://${HOST}:${PORT}/x', b: ['${NONE:-there}', '${EMPTY:-full}', '${NONE:-}'] }),
    ).toEqual({
      value: { a: 'opc.tcp://10.0.0.5:502/x', b: ['there', 'full', ''] },
      problems: [],
    });
  });

  it('are numbers, true and false where they stand alone, and text in names and hosts', () => {
    const { value } = of({
      port: '${PORT}',
      on: '${ON}',
      name: '${PORT}',
      host: '${PORT}',
      text: 'a${PORT}',
    });
    expect(value).toEqual({ port: 502, on: true, name: '502', host: '502', text: 'a502' });
  });

  it('are left alone in small letters: an instrument may want to be sent such a text', () => {
    expect(of({ command: '${from:6}${to}' }).value).toEqual({ command: '${from:6}${to}' });
  });

  it('are each a problem at their place where they are not set, name a secret, or come from far away', async () => {
    const { problems } = of({ a: { b: '${NONE}' }, c: '${API_TOKEN:-x}' });
    expect(problems.map(({ path }) => path)).toEqual([['a', 'b'], ['c']]);
    expect(problems[1]?.message).toMatch(/a secret does not belong/);
    const loading = loadValue({ sources: [], logLevel: '${HOST}' }, 'module twin', {
      remote: { folders: [] } as never,
    });
    await expect(loading).rejects.toBeInstanceOf(ConfigError);
    await expect(loading).rejects.toThrow(
      /logLevel: \$\{HOST\}: only the gateway's own file may name variables/,
    );
  });
});
