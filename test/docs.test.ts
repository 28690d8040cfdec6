// What the documents say, as far as a machine can check it: error codes, links, commands, variables of the environment, files.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { alertKinds } from '../cloud-lite/health/alerts.ts';
import { overlaid } from '../runtime/config/overlay.ts';
import { live } from '../runtime/config/reload-plan.ts';
import { root } from './support/source-tree.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const documents = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).sort();
const isShipped = (path: string) =>
  /^(wire|kernel|runtime|cloud-lite)\//.test(path) &&
  !/node_modules|\/dist\/|\.test\.tsx?$|\/testing\/|contract\.ts$/.test(path);
const shipped = globSync('{wire,kernel,runtime,cloud-lite}/**/*.{ts,tsx}', { cwd: root }).filter(isShipped);
const code = new Map(shipped.map((path) => [path, read(path)]));
const allCode = [...code.values()].join('\n');

describe('docs/ERRORS.md', () => {
  const listed = [...read('docs/ERRORS.md').matchAll(/^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|/gm)].flatMap((row) =>
    [...row[1]!.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name!),
  );

  it('lists every code that is raised', () => {
    // The first argument, be it one code or a choice of two.
    const raised = [...allCode.matchAll(/new HoldfastError\(\s*((?:[^,'"`]*'[a-z-]+')+)/g)].flatMap(
      ([, first]) => [...first!.matchAll(/'([a-z]+(?:-[a-z]+)+)'/g)].map(([, name]) => name!),
    );
    expect(raised.length).toBeGreaterThan(100);
    expect([...new Set(raised)].filter((name) => !listed.includes(name)).sort()).toEqual([]);
  });

  // The compiler sees to it that none is without one.
  it('lists the code of every line of the log that is a warning or an error', () => {
    const alone = allCode.matchAll(/\bcode(?:: | = |Of\([^()]*, )'([a-z-]+)'/g);
    const ofTwo = allCode.matchAll(/\bcode(?:: | = )[^;{}]{1,60}\? '([a-z-]+)' : '([a-z-]+)'/g);
    const used = [...alone, ...ofTwo].flatMap(([, ...names]) => names);
    expect(used.length).toBeGreaterThan(150);
    // An alert's code is its kind. `custom` is the schema library's.
    const named = new Set([...used, ...alertKinds].filter((name) => name !== 'custom'));
    expect([...named].filter((name) => !listed.includes(name)).sort()).toEqual([]);
  });

  it('lists the codes by which OPERATIONS names lines of the log', () => {
    const text = read('docs/OPERATIONS.md');
    const cited = [
      ...[...text.matchAll(/In the log: ((?:`[a-z-]+`(?:, )?)+)/g)].flatMap(([, some]) =>
        some!.match(/[a-z-]{2,}/g),
      ),
      ...[...text.matchAll(/`([a-z]+(?:-[a-z]+)+)`: `[^`]/g)].map(([, name]) => name!),
    ];
    expect(cited.length).toBeGreaterThan(25);
    expect(cited.filter((name) => !listed.includes(name!))).toEqual([]);
  });

  it('lists no code that is nowhere raised', () => {
    expect(listed.length).toBeGreaterThan(100);
    expect(listed.filter((name) => !allCode.includes(`'${name}'`))).toEqual([]);
  });
});

it('every link of the documents leads somewhere', () => {
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[`*]/g, '')
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-');
  const anchors = (path: string) => [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, text]) => slug(text!));
  const broken = documents.flatMap((path) =>
    [...read(path).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target]) => {
      if (/^[a-z]+:/.test(target!)) return [];
      const [file, anchor] = target!.split('#');
      const to = file === '' ? path : join(dirname(path), file!);
      if (!existsSync(join(root, to))) return [`${path}: ${target}`];
      return anchor === undefined || anchors(to).includes(anchor) ? [] : [`${path}: ${target}`];
    }),
  );
  expect(broken).toEqual([]);
});

it('a document names another one by a link', () => {
  // Not where it tells what is new.
  const bare = documents.flatMap((path) => {
    if (path === 'CHANGELOG.md') return [];
    const text = read(path)
      .replace(/^```[\s\S]*?^```/gm, '')
      .replace(/`[^`\n]*`|\[[^\]]*\]\([^)]*\)/g, '');
    return [...text.matchAll(/\b(?:docs\/)?[A-Z]{3,}\.md\b/g)].map(([named]) => `${path}: ${named}`);
  });
  expect(bare).toEqual([]);
});

it('every file of the project that a document names is there', () => {
  const folders = ['wire', 'kernel', 'runtime', 'cloud-lite', 'lab', 'test', 'docs', 'scripts'];
  const runtimeFolders = globSync('runtime/*/', { cwd: root }).map((path) => path.replace(/^runtime\//, ''));
  const missing = documents.flatMap((path) =>
    [...read(path).matchAll(/`([\w./-]+\/[\w.-]+\.(?:ts|mjs|md|yaml))`/g)].flatMap(([, named]) => {
      const first = named!.split('/')[0]!;
      const isOurs = folders.includes(first) || runtimeFolders.includes(first);
      if (!isOurs || /kernel-files/.test(named!)) return [];
      const isThere = ['', 'runtime', 'cloud-lite'].some((base) => existsSync(join(root, base, named!)));
      return isThere ? [] : [`${path}: ${named}`];
    }),
  );
  expect(missing).toEqual([]);
});

it('every file of the project that a comment names is there', () => {
  const paths = globSync('{.ci,wire,kernel,runtime,cloud-lite,lab,test,docs,deploy,scripts}/**/*', {
    cwd: root,
    exclude: ['**/node_modules/**', '**/dist/**'],
  });
  const known = new Set(
    paths.flatMap((path) => path.split('/').map((_, at, all) => all.slice(at).join('/'))),
  );
  const missing = globSync('{wire,kernel,runtime,cloud-lite,lab,test}/**/*.{ts,tsx}', {
    cwd: root,
    exclude: ['**/node_modules/**', '**/dist/**'],
  }).flatMap((path) =>
    [...read(path).matchAll(/^ *(?:\/\/|\/?\*).*$/gm)].flatMap(([comment]) =>
      [...comment.matchAll(/(?<![\w./-])[a-z][\w-]*(?:\/[\w.-]+)*\.(?:tsx?|mjs|md)\b/g)]
        // LevelDB has docs of its own.
        .filter(([named]) => !known.has(named) && !named.startsWith('leveldb/doc/'))
        .map(([named]) => `${path}: ${named}`),
    ),
  );
  expect(missing).toEqual([]);
});

it('every line of the log by which docs/OPERATIONS.md names a trouble is written somewhere', () => {
  const sections = read('docs/OPERATIONS.md')
    .split(/^##+ /m)
    .filter((text) => /^What names which/.test(text));
  const rows = sections.flatMap((text) => [...text.matchAll(/^\| .*$/gm)].map(([row]) => row));
  const lines = rows.flatMap((row) =>
    [...row.matchAll(/`([^`]+)`/g)]
      .map(([, text]) => text!.replace(/ ?\.\.$/, ''))
      .filter((text) => / \w+ /.test(text)),
  );
  expect(lines.length).toBeGreaterThan(15);
  expect(lines.filter((line) => !allCode.includes(line))).toEqual([]);
});

it('every JSON that a document shows can be read, alone or as a part of an object', () => {
  const blocks = documents.flatMap((path) =>
    [...read(path).matchAll(/^```json.*\n([\s\S]*?)^```/gm)].map(([, text]) => ({
      path,
      text: text!.trim(),
    })),
  );
  expect(blocks.length).toBeGreaterThan(15);
  for (const { path, text } of blocks)
    expect(() => JSON.parse(text.startsWith('"') ? `{${text}}` : text), `${path}: ${text}`).not.toThrow();
});

it('every npm command that a document shows exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const unknown = documents.flatMap((path) =>
    [...read(path).matchAll(/npm (?:-s )?run (?:-s )?([a-z:-]+)/g)].flatMap(([, name]) =>
      name! in scripts ? [] : [`${path}: npm run ${name}`],
    ),
  );
  expect(unknown).toEqual([]);
});

it('every command of holdfast that a document shows exists, and each is shown in the README', () => {
  const commands = new Set([...allCode.matchAll(/\.command\('([a-z]+)'\)/g)].map(([, name]) => name!));
  for (const [, name] of allCode.matchAll(/new Command\('([a-z]+)'\)/g)) commands.add(name!);
  const shown = (path: string) =>
    [...read(path).matchAll(/(?:^|`)(?:\.\/)?holdfast (?:spool )?([a-z]+)/gm)].map(([, name]) => name!);
  // There, `holdfast key` and the like are labels of derived keys.
  const others = documents.filter((path) => path !== 'docs/FORMAT.md');
  const unknown = others.flatMap((path) => shown(path).map((name) => `${path}: ${name}`));
  expect(unknown.filter((each) => !commands.has(each.split(': ')[1]!))).toEqual([]);
  for (const name of [
    'run',
    'check',
    'probe',
    'browse',
    'schema',
    'stats',
    'verify',
    'list',
    'export',
    'salvage',
  ])
    expect(shown('README.md')).toContain(name);
});

it('every variable of the environment that is read is documented, and the other way round', () => {
  const inCode = new Set([...allCode.matchAll(/\bHOLDFAST_[A-Z0-9_]+\b/g)].map(([name]) => name));
  const everywhere = globSync('{lab,test,runtime,cloud-lite,scripts,.ci}/**/*', {
    cwd: root,
    exclude: ['**/node_modules/**'],
  })
    .filter((path) => /\.(ts|mjs)$|\.ci\/run$/.test(path))
    .map(read)
    .join('\n');
  const inDocs = new Set(documents.flatMap((path) => read(path).match(/\bHOLDFAST_[A-Z0-9_]+\b/g) ?? []));
  expect([...inCode].filter((name) => !inDocs.has(name)).sort()).toEqual([]);
  expect([...inDocs].filter((name) => !everywhere.includes(name)).sort()).toEqual([]);
});

it.each([
  { of: 'the module', title: 'Variables of the environment', folders: /^(runtime|kernel|wire)\// },
  { of: 'the detector', title: 'Settings', folders: /^(cloud-lite|kernel|wire)\// },
])(
  'docs/OPERATIONS.md has a table of the variables of the environment that $of reads',
  ({ title, folders }) => {
    const section = read('docs/OPERATIONS.md')
      .split(/^#{2,3} /m)
      .find((text) => text.startsWith(`${title}\n`))!;
    const listed = [...section.matchAll(/^\| (`.*?) \|/gm)].flatMap(
      ([, cell]) => cell!.match(/HOLDFAST_\w+/g) ?? [],
    );
    const own = [...code].flatMap(([path, text]) => (folders.test(path) ? [text] : []));
    const used = own.flatMap((text) => text.match(/\bHOLDFAST_[A-Z0-9_]+\b/g) ?? []);
    expect([...new Set(listed)].sort()).toEqual([...new Set(used)].sort());
  },
);

it('docs/OPERATIONS.md says what becomes of a change while the module runs, of each setting that counts then', () => {
  const [, table] = read('docs/OPERATIONS.md').split('| changed | effect |');
  const named = [...table!.split('\n\n')[0]!.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`(\w+)[^`]*`/g)].map(([, name]) => name),
  );
  expect([...live].filter((name) => !named.includes(name))).toEqual([]);
});

it('docs/OPERATIONS.md lists what a twin may lay over a file', () => {
  const [, list] = /What may be laid over a file is [^:]+:\s([^.]+(?:\.\w[^.]+)*)\. /.exec(
    read('docs/OPERATIONS.md'),
  )!;
  expect([...list!.matchAll(/`([\w.]+)`/g)].map(([, name]) => name).sort()).toEqual([...overlaid].sort());
});
