// A secret at every place of a configuration that somebody far away named: no message repeats it, nor a part of it.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { quickFolder } from '../../kernel/testing/quick-folder.ts';
import { root as project } from '../../test/support/source-tree.ts';
import { ConfigError } from './config-error.ts';
import { loadConfig, loadValue } from './load.ts';
import { Quiet } from './quiet.ts';
import { remoteFilesOf } from './remote-files.ts';

const root = quickFolder('quiet');
afterAll(() => rmSync(root, { recursive: true }));
const dataFolder = join(root, 'data');
mkdirSync(dataFolder);
const remote = remoteFilesOf({ named: root, configFile: undefined, dataFolder });
const file = join(root, 'given.yaml');

const secret = 'S3CRETxyz';
/** As it is, and in forms that a pattern, a query, a duration and a variable complain about. */
const forms = [secret, `(${secret}[`, `SELECT ${secret} FROM`, `5${secret}`, `\${${secret}}`];

/** What is said of a file with that text; nothing where it is right. */
async function said(text: string): Promise<string> {
  writeFileSync(file, text);
  try {
    await loadConfig(file, { remote });
    return '';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return `${error.message} ${JSON.stringify(error.problems)} ${JSON.stringify(error)}`;
  }
}

const tells = (text: string) => /S3C|CRETx|xyz/i.test(text);

type Path = readonly (string | number)[];

function* pathsOf(value: unknown, path: Path = []): Generator<Path> {
  if (typeof value !== 'object' || value === null) return yield path;
  for (const [key, inner] of Object.entries(value))
    yield* pathsOf(inner, [...path, Array.isArray(value) ? Number(key) : key]);
}

/** A copy with something else at that place; `isKey`: with another name for it. */
function changed(value: unknown, path: Path, to: string, isKey: boolean): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return to;
  if (Array.isArray(value))
    return value.map((each, n) => (n === first ? changed(each, rest, to, isKey) : each));
  return Object.fromEntries(
    Object.entries(value as object).map(([key, inner]) => {
      if (key !== first) return [key, inner];
      return isKey && rest.length === 0 ? [to, inner] : [key, changed(inner, rest, to, isKey)];
    }),
  );
}

const folder = join(project, 'docs', 'examples');
const examples = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const withRules = {
  sources: {
    press: { type: 'modbus-tcp', host: 'h', pollMs: 1000, tags: [{ name: 't', address: 1 }] },
    oven: { type: 'modbus-tcp', host: 'h', pollMs: 1000, tags: [{ name: 't', address: 1 }] },
  },
  rules: [{ name: 'hot', query: 'SELECT t FROM press', to: 'messages' }],
  windows: { ageMs: '10s' },
  spool: { encryption: { key: { file: '/run/key' } } },
};
const configs: Record<string, unknown> = {
  ...Object.fromEntries(examples.map((name) => [name, parse(readFileSync(join(folder, name), 'utf8'))])),
  'maps by name, with a rule': withRules,
};

describe.each(Object.keys(configs))('of %s', (name) => {
  const config = configs[name];
  const paths = [...pathsOf(config)];

  it('each scalar and each name may be a secret', async () => {
    expect(paths.length).toBeGreaterThan(10);
    let refused = 0;
    for (const [n, path] of paths.entries()) {
      for (const isKey of [false, true]) {
        const form = isKey ? secret : forms[n % forms.length]!;
        const text = await said(stringify(changed(config, path, form, isKey)));
        expect(tells(text), `${path.join('.')}: ${text}`).toBe(false);
        if (text !== '') refused++;
      }
    }
    expect(refused).toBeGreaterThan(paths.length / 2);
  });

  it('all scalars may be the same one', async () => {
    for (const form of forms) {
      let all: unknown = config;
      for (const path of paths) all = changed(all, path, form, false);
      expect(tells(await said(stringify(all)))).toBe(false);
    }
  });
});

it.each([
  [
    'a stream id that is taken',
    `{name: ${secret}, type: modbus-tcp, host: h, pollMs: 1000, tags: [{name: t, address: 1}]}`,
    2,
  ],
  ['an alias to nowhere', `*${secret}`, 1],
  ['a tag of YAML', `!${secret} x`, 1],
  ['a name twice', `{${secret}: 1, ${secret}: 2}`, 1],
  ['a variable', `{name: x, type: modbus-tcp, host: "\${${secret}}"}`, 1],
  ['a type', `{name: x, type: ${secret}}`, 1],
  ['a file of tags', `{name: x, type: modbus-tcp, host: h, pollMs: 1000, tagsFile: ${secret}.csv}`, 1],
  ['a profile', `{name: x, type: modbus-tcp, host: h, pollMs: 1000, profile: ${secret}}`, 1],
])('%s is told without its name', async (_what, source, times) => {
  const text = await said(`sources:\n${`  - ${source}\n`.repeat(times)}`);
  expect(text).not.toBe('');
  expect(tells(text), text).toBe(false);
});

it.each([
  ['a rule of a source that is not there', `[{name: r, query: "SELECT x FROM ${secret}"}]`],
  ['a rule whose query is none', `[{name: r, query: "SELEC ${secret}"}]`],
  ['a rule twice', `[{name: ${secret}, query: "SELECT 1"}, {name: ${secret}, query: "SELECT 1"}]`],
  ['a file of certificates', `[]\nuplink: {caFile: /run/${secret}}`],
])('%s is told without its name', async (_what, rules) => {
  const text = await said(`sources: []\nrules: ${rules}\n`);
  expect(text).not.toBe('');
  expect(tells(text), text).toBe(false);
});

it('a table of tags that a twin’s own value names is told without its contents', async () => {
  const table = join(root, 'tags.csv');
  writeFileSync(table, `name,address,type\n${secret},${secret},${secret}\n${secret},1,uint16\n`);
  const source = { name: 'press', type: 'modbus-tcp', host: 'h', pollMs: 1000, tagsFile: table };
  const error = await loadValue({ sources: [source, { ...source, tagsFile: undefined }] }, 'module twin', {
    remote,
  }).catch((each) => each);
  expect(error).toBeInstanceOf(ConfigError);
  expect(tells(JSON.stringify(error.problems))).toBe(false);
  // The twin's readers know its words.
  expect(JSON.stringify(error.problems)).toContain('press');
});

describe('a quiet message', () => {
  const quiet = new Quiet([
    { sources: [{ name: 'kiln-7', host: 'plc.lan', query: 'SELECT heat FROM kiln' }] },
  ]);

  it('keeps what the schema knows, and hides words of the file and what stands between quotation marks', () => {
    expect(quiet.text("the stream id 'kiln-7' is taken by sources[0]")).toBe(
      'the stream id (…) is taken by sources[0]',
    );
    expect(quiet.text('no source kiln-7 at plc.lan; it names modbus-tcp and host')).toBe(
      'no source (…) at (…); it names modbus-tcp and host',
    );
    expect(quiet.text("'host' is the source's own")).toBe("'host' is the source's own");
  });

  it('hides a word that was cut short, and one of a longer text', () => {
    expect(quiet.text('unexpected hea at 7')).toBe('unexpected (…) at 7');
  });
});
