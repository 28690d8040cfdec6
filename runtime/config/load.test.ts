import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ConfigError } from './config-error.ts';
import { dataFolderIn, loadConfig, loadValue, parseConfig } from './load.ts';

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
      spool: { commitBytes: 4_194_304, flashSaver: false },
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

  it('lists what is wrong within parts, between them, in queries and with files beside each other', async () => {
    const tags = 'tags: [{name: t, address: 0, type: int16}]';
    const problems = await loadValue(
      parse(`
windows: {ageMs: fast}
sources:
  - {name: press, type: modbus-tcp, host: h, pollMs: 1000, ${tags}}
  - {name: press, type: modbus-tcp, host: h2, pollMs: 1000, ${tags}}
  - {name: oven, type: opcua, colour: red}
  - {name: kiln, type: opcua, endpoint: opc.tcp://h:4840, identity: {kind: certificate, certificateFile: /no/such.pem, keyFile: /no/such.key}, tags: [{name: t, node: "ns=2;s=T"}]}
rules:
  - {name: one, inputs: {i: {source: nobody}}, query: SELECT x FROM i, outputs: [upstream]}
  - {name: two, inputs: {i: {source: oven}}, query: SELECT FROM i, outputs: [upstream, {write: {source: oven, tag: t, value: 1}}]}
  - {name: three, query: SELECT t FROM press, outputs: [{sendd: x}]}
`),
      'site.yaml',
      { placeOf: () => ({ line: 1, column: 1 }) },
    ).then(
      () => [],
      (error: ConfigError) => error.problems.map(({ path, message }) => `${path}: ${message}`),
    );
    const expected = [
      /^windows\.ageMs: must be/,
      /^sources\[1\]\.name: the stream id 'press' is taken by sources\[0\]/,
      /^sources\[2\]\.colour: unknown setting/,
      /^sources\[3\]\.identity\.certificateFile: there is no such file/,
      /^rules\[0\]\.inputs\.i\.source: there is no source 'nobody'/,
      /^rules\[1\]\.query: line 1, column 8/,
      /^rules\[2\]\.outputs/,
    ];
    for (const pattern of expected) expect(problems).toContainEqual(expect.stringMatching(pattern));
    // What follows from a source that is wrong is not said of the rules that read or write it.
    expect(problems.filter((each) => /^rules\[1\]/.test(each))).toHaveLength(1);
  });

  it('takes merge keys, as often as a site needs them', () => {
    const many = Array.from({ length: 300 }, (_, n) => `  - {<<: *d, name: s${n}}`).join('\n');
    const all = `sources:\n  - &d {name: first, type: modbus-tcp, host: h, unit: 1, pollMs: 5000, tags: [{name: t, address: 0, type: uint16}]}\n${many}\n`;
    const { sources } = parseConfig(all, 'site');
    expect(sources).toHaveLength(301);
    expect(sources[300]).toMatchObject({ name: 's299', pollMs: 5000 });
  });

  it('looks into queries of a site that is right in all else: names of tags, and outputs of which nothing is said', async () => {
    const tags = [{ name: 't', address: 0, type: 'int16' }];
    const sources = [{ name: 'press', type: 'modbus-tcp', host: 'h', pollMs: 1000, tags }];
    const of = (rule: object) =>
      loadValue({ sources, rules: [{ name: 'a', outputs: ['upstream'], ...rule }] }, 'site').then(
        () => [],
        (error: ConfigError) => error.problems.map(({ path, message }) => `${path}: ${message}`),
      );
    expect(await of({ query: 'SELECT t FROM press TIMESTAMP BY tt' })).toEqual([
      expect.stringMatching(/^rules\[0\]\.query: .*TIMESTAMP BY tt: no tag of press.*Did you mean t\?/),
    ]);
    expect(await of({ query: 'SELECT t INTO x FROM press', outputs: { y: ['upstream'] } })).toHaveLength(2);
    expect(await of({ query: 'SELECT t FROM press TIMESTAMP BY t' })).toEqual([]);
  });

  it('takes neither an empty file nor one without sources for the wish to read nothing', () => {
    expect(problemsOf('')[0]?.message).toMatch(/cut off/);
    expect(problemsOf('# only a comment')[0]?.message).toMatch(/cut off/);
    expect(problemsOf('statusPort: 0')).toEqual([
      expect.objectContaining({ path: 'sources', message: expect.stringMatching(/is missing.*\[\]/) }),
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
    expect(problemsOf('windows: {ageMs: 5\nsources: [')[0]?.place).toEqual({ line: 2, column: 1 });
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

describe('a table of tags beside the configuration', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tags-'));
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const site = write(
    'site.yaml',
    'sources: [{name: press, type: modbus-tcp, host: h, tags: [{name: first, address: 0, type: int16}], tagsFile: tags.csv}]',
  );

  it('adds its tags, and makes them part of what is kept', async () => {
    write('tags.csv', 'name,address,type\ntemperature,6,float32\n');
    const { config, input, files } = await loadConfig(site);
    expect(config.sources[0]?.tags?.map(({ name }) => name)).toEqual(['first', 'temperature']);
    expect(JSON.stringify(input)).not.toContain('tagsFile');
    expect(files).toEqual([site, join(folder, 'tags.csv')]);
    const again = await loadValue(input, 'kept');
    expect(again.config).toEqual(config);
    expect(again.hash).toBe((await loadConfig(site)).hash);
  });

  it('tells a column misspelt, or one that is not there, once', async () => {
    const said = async (table: string) => {
      write('tags.csv', table);
      return loadConfig(site).then(String, (error: ConfigError) =>
        error.problems.map(({ message }) => message),
      );
    };
    expect(await said('name,adress,type\na,1,int16\nb,2,int16\nc,3,int16\n')).toEqual([
      "tags.csv, line 1, column 6: 'adress' is no setting of a tag; did you mean address?",
    ]);
    expect(await said('name,type\na,int16\nb,int16\n')).toEqual([
      expect.stringMatching(/tags\.csv, line 1: there is no column address, which tags need: it must be/),
    ]);
  });

  it('has the problems of its tags shown where they stand, and its own', async () => {
    write(
      'tags.csv',
      'name,address,type,colour\ntemperature,6,float32,\nlevel,99999,int17,\nfirst,7,int16,\n',
    );
    const problems = await loadConfig(site).then(
      () => [],
      (error: ConfigError) => error.problems,
    );
    expect(problems.every(({ path }) => path === 'sources[0].tagsFile')).toBe(true);
    const text = problems.map(({ message }) => message).join('\n');
    expect(text).toMatch(/tags\.csv, line 1, column 19: 'colour' is no setting/);
    expect(text).toMatch(/tags\.csv, line 3, column 7 \(address\)/);
    expect(text).toMatch(/tags\.csv, line 3, column 13 \(type\): must be one of/);
    write('tags.csv', 'name,address,type\nfirst,7,int16\n');
    await expect(loadConfig(site)).rejects.toThrow(
      /line 2, column 1 \(name\): the name 'first' is taken by tags/,
    );
  });

  it('must be there, and in a twin be named by an absolute path', async () => {
    const source = { name: 'press', type: 'modbus-tcp', host: 'h', tagsFile: 'gone.csv' };
    await expect(loadValue({ sources: [source] }, 'twin')).rejects.toThrow(/must be an absolute path/);
    const inFolder = loadValue({ sources: [source] }, 'site', { folder });
    await expect(inFolder).rejects.toThrow(/gone\.csv cannot be read/);
    await expect(inFolder).rejects.not.toThrow(/tags: /);
  });
});

describe('files that a configuration names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'named-'));

  it('have to be there, and to be files: a pipe would be waited for forever', async () => {
    const value = (caFile: string) => ({ sources: [], uplink: { caFile } });
    await expect(loadValue(value(join(folder, 'ca.pem')), 'twin')).rejects.toThrow(/uplink.caFile.*ENOENT/s);
    await expect(loadValue(value('/dev/zero'), 'twin')).rejects.toThrow(/no regular file/);
    await expect(loadConfig('/dev/zero')).rejects.toThrow(/no regular file/);
  });

  it('are the ones that are meant, where their sum is given', async () => {
    const file = join(folder, 'site.yaml');
    writeFileSync(file, 'sources: []\n');
    const hash = createHash('sha256').update('sources: []\n').digest('hex');
    expect((await loadConfig(file, { expectedHash: hash.toUpperCase() })).config.sources).toEqual([]);
    await expect(loadConfig(file, { expectedHash: '0'.repeat(64) })).rejects.toThrow(new RegExp(hash));
  });

  it('tell the data folder also where the rest is wrong', async () => {
    const file = join(folder, 'broken.yaml');
    writeFileSync(file, 'dataFolder: /data/here\nsources: [{name: x}\n  - oops: {');
    expect(await dataFolderIn(file)).toBe('/data/here');
    expect(await dataFolderIn(join(folder, 'none.yaml'))).toBeUndefined();
  });
});
