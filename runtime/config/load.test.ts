import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, parseConfig } from './load.ts';

const tag = '{name: temperature, address: 6, type: float32}';
const press = `{name: press, type: modbus-tcp, host: 10.0.0.5, unit: 1, pollMs: 1000, tags: [${tag}]}`;

function problemsOf(text: string) {
  try {
    parseConfig(text, 'site.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
  throw new Error('the configuration was accepted');
}

describe('the configuration', () => {
  it('fills in every default', () => {
    const config = parseConfig('sources: []', 'site.yaml');
    expect(config).toMatchObject({
      sources: [],
      windows: { ageMs: 10_000, quietMs: 60_000 },
      spool: { commitIntervalMs: 200 },
      uplink: { transport: 'amqp', body: 'columns/1', gzip: true },
      faultInjection: false,
    });
    expect(parseConfig(`sources: [${press}]`, 'site.yaml').sources).toHaveLength(1);
  });

  it('lists every problem at once, each at its path', () => {
    const problems = problemsOf(`
windows: {ageMs: fast}
spol: {}
sources:
  - ${press}
  - {name: x, type: modbus-tpc}
  - {name: y, type: modbus-tcp, host: h, unit: 1, pollMs: 1000, tags: [{name: t, address: 99999, type: int16}]}
`);
    const paths = problems.map((problem) => problem.path);
    expect(paths).toContain('windows.ageMs');
    expect(paths).toContain('spol');
    expect(paths.some((path) => path.startsWith('sources[1]'))).toBe(true);
    expect(paths).toContain('sources[2].tags[0].address');
    expect(problems.every((problem) => problem.message.length > 5)).toBe(true);
  });

  it('takes neither an empty file nor one without sources for the wish to read nothing', () => {
    expect(problemsOf('')[0]?.message).toMatch(/cut off/);
    expect(problemsOf('# only a comment')[0]?.message).toMatch(/cut off/);
    expect(problemsOf('statusPort: 0')).toEqual([
      { path: 'sources', message: expect.stringMatching(/is missing.*\[\]/) },
    ]);
  });

  it('says of a secret where it belongs, and does not repeat it', () => {
    const problems = problemsOf('sources: []\nuplink: {password: hunter2, SharedAccessKey: c2VjcmV0}');
    expect(problems.map(({ path }) => path)).toEqual(['uplink.password', 'uplink.SharedAccessKey']);
    expect(problems.every(({ message }) => /environment or a file/.test(message))).toBe(true);
    expect(JSON.stringify(problems)).not.toMatch(/hunter2|c2VjcmV0/);
  });

  it('refuses two sources on one stream, and names the first', () => {
    const [problem] = problemsOf(`sources: [${press}, ${press}]`);
    expect(problem).toMatchObject({ path: 'sources[1].name' });
    expect(problem?.message).toContain('sources[0]');
  });

  it('says in which line YAML is broken, and refuses alias bombs, other types and duplicate keys', () => {
    expect(problemsOf('windows: {ageMs: 5\nsources: [')[0]?.message).toMatch(/line \d+, column \d+/);
    expect(problemsOf('windows: {}\nwindows: {}')[0]?.message).toMatch(/unique/i);
    expect(problemsOf('just a text').length).toBeGreaterThan(0);
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`).join('\n')}`;
    expect(problemsOf(bomb).length).toBeGreaterThan(0);
  });

  it('says which file cannot be read, and why', async () => {
    await expect(loadConfig('/no/such/site.yaml')).rejects.toThrow(/\/no\/such\/site.yaml.*\n.*ENOENT/);
    const file = join(mkdtempSync(join(tmpdir(), 'config-')), 'site.yaml');
    writeFileSync(file, Buffer.from([0xff, 0xfe, 0x00, 0x80]));
    await expect(loadConfig(file)).rejects.toThrow(/cannot be read/);
  });
});
