// Every command that a document shows, run as it is written, as far as that can be done without Azure and without changing
// this machine. What stands for something (FILE, DIR) gets a value of its kind.
import { execFile, spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Plant, startPlant } from '../lab/plant/plant.ts';
import { plantSources } from '../lab/plant/site.ts';
import { makeRun } from '../runtime/spool/testing/folders.ts';
import { expand, merge } from '../scripts/manifest.mjs';
import { type DocumentCommand, documentCommands } from './support/document-commands.ts';
import { root } from './support/source-tree.ts';

const run = promisify(execFile);
const commands = documentCommands();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-commands-'));
const data = join(folder, 'data');
const site = join(folder, 'site.yaml');
const counting = join(folder, 'counting.yaml');
let plant: Plant;

beforeAll(async () => {
  plant = await startPlant({ seed: 1, scanMs: 1000, historyS: 10 });
  writeFileSync(
    site,
    JSON.stringify({ dataFolder: data, sources: plantSources(plant.info, { pollMs: 1000 }) }),
  );
  await makeRun(data, 8);
  const query = 'SELECT COUNT(*) AS n FROM input GROUP BY TumblingWindow(second, 10)';
  const rule = { name: 'count', inputs: { input: { source: '*' } }, query, outputs: ['upstream'] };
  writeFileSync(counting, JSON.stringify({ rules: [rule] }));
});
afterAll(async () => {
  await plant?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const of = (...names: string[]) => commands.filter(({ words: [first] }) => names.includes(first!));
let fresh = 0;

/** The arguments that holdfast gets; undefined where it is not holdfast that runs. */
function argumentsOf({ words }: DocumentCommand): readonly string[] | undefined {
  const [program, verb] = words;
  if (program === './holdfast') return words.slice(1);
  if (program === 'npx' && verb === 'holdfast') return words.slice(2);
  if (program !== 'docker') return undefined;
  // `docker exec [-it] NAME holdfast ARG..`, `docker run .. IMAGE ARG..`
  const at = verb === 'exec' ? words.indexOf('holdfast') + 1 : verb === 'run' ? words.indexOf('IMAGE') : -1;
  return at < 0 ? undefined : words.slice(at + 1);
}

/** The deployment of one gateway; with layers, that of a fleet's base with them. */
function manifest(...layers: readonly string[]): string {
  const env = {
    CONTAINER_REGISTRY: 'r',
    CONTAINER_REGISTRY_USERNAME: 'u',
    CONTAINER_REGISTRY_PASSWORD: 'p',
  };
  const read = (file: string) => expand(JSON.parse(readFileSync(join(root, file), 'utf8')), env);
  const base = layers.length === 0 ? 'deployment.template.json' : 'deploy/layered/base.template.json';
  const file = join(folder, `${++fresh}-manifest.json`);
  writeFileSync(file, JSON.stringify(merge(read(base), ...layers.map(read))));
  return file;
}

function filledIn(args: readonly string[]): readonly string[] {
  const source = String(plantSources(plant.info, {})[0]!.name);
  const freshFolder = () => join(folder, `new-${++fresh}`);
  const values: Readonly<Record<string, () => string>> = {
    ADDR: () => `modbus-tcp://${plant.info.host}:${plant.info.port}?unit=1`,
    FILE: () => site,
    'site.yaml': () => site,
    '/tmp/holdfast-site/site.yaml': () => site,
    '/data/holdfast.yaml': () => site,
    SOURCE: () => source,
    NAME: () => source,
    NODE: () => 'i=85',
    DIR: () => data,
    ID: () => '1',
    KIND: () => 'serial',
    NEWFILE: () => join(folder, `new-${++fresh}.yaml`),
    NEW: freshFolder,
    '/mnt/usb/holdfast': freshFolder,
    '/data/recovered': freshFolder,
    'manifest.json': () => manifest(),
    'merged.json': () => manifest('deploy/layered/modbus-line.template.json'),
    'press.jsonl': () => join(folder, `${++fresh}.jsonl`),
  };
  // Rules have files of their own.
  const rules: Readonly<Record<string, string>> = {
    FILE: join(root, 'docs/examples/rules/lag/lag.asaql'),
    DIR: join(root, 'docs/examples/rules/lag'),
  };
  const replayed: Readonly<Record<string, string>> = { FILE: counting, DIR: data };
  return args.map((arg) => {
    if (args[1] === 'replay' && replayed[arg]) return replayed[arg];
    if (args[0] === 'rules' && rules[arg]) return rules[arg];
    const name = arg.replace(/^\[|\]$/g, '');
    if (values[name]) return values[name]();
    if (/^\/data\/holdfast(\/|$)/.test(name)) return data;
    return name.startsWith('docs/') ? join(root, name) : name;
  });
}

describe('the documents', () => {
  it('show commands at all, and each begins with a program that runs as it is written', () => {
    expect(commands.length).toBeGreaterThan(40);
    // What a Node of the machine may not run, and what is not on the PATH.
    const wrong = [...of('node', 'holdfast')].map(({ place, text }) => `${place}: ${text}`);
    expect(wrong).toEqual([]);
  });

  it('show commands of holdfast that do what they say', async () => {
    const shown = commands.flatMap((command) => {
      const args = argumentsOf(command);
      return args && args[0] !== 'run'
        ? [{ place: command.place, text: command.text, args: filledIn(args) }]
        : [];
    });
    expect(shown.length).toBeGreaterThan(20);
    // Equipment of the examples is not here: nobody waits for it for a minute.
    const asked = shown.map(({ args }) =>
      ['probe', 'browse'].includes(args[0]!)
        ? [...args, '--timeout', '5']
        : args.filter((arg) => arg !== '--watch'),
    );
    const child = execFile(process.execPath, ['test/support/many-commands.ts'], {
      cwd: root,
      maxBuffer: 1 << 26,
    });
    let out = '';
    child.stdout!.on('data', (chunk) => (out += chunk));
    child.stdin!.end(JSON.stringify(asked));
    await new Promise((resolve) => child.once('close', resolve));
    const results: { code: number; out: string; err: string }[] = JSON.parse(out);
    const failed = shown.flatMap(({ place, text, args }, at) => {
      const { code, err } = results[at]!;
      // No OPC UA server is here: the command is understood, and says that nothing answers.
      // No module runs here: the command is understood, and says that none answers.
      const isOfRunning = code === 1 && ['status', 'bundle'].includes(args[0]!);
      const isExpected =
        isOfRunning ||
        code === 0 ||
        (code === 1 && (args[0] === 'browse' || args.includes('--discover'))) ||
        isOtherType(args, code);
      return isExpected ? [] : [`${place}: ${text}: ${code}: ${err}`];
    });
    expect(failed).toEqual([]);
  });

  it('show `run` as it runs: through the launcher, until it is told to stop', async () => {
    const shown = commands.filter((command) => argumentsOf(command)?.[0] === 'run');
    expect(shown.length).toBeGreaterThan(0);
    const [first] = shown;
    const env = {
      ...process.env,
      HOLDFAST_CONNECTION_STRING: 'HostName=h.invalid;DeviceId=d;SharedAccessKey=c2VjcmV0',
    };
    const child = spawn('./holdfast', filledIn(argumentsOf(first!)!), { cwd: root, env });
    let log = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk) => {
        log += chunk;
        if (log.includes('"msg":"started"')) resolve();
      });
      child.once('close', (code) => reject(new Error(`ended with ${code}:\n${log}`)));
    });
    const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('show npm scripts that there are, with options and files that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const wrong = of('npm', 'npx').flatMap(({ place, text, words: [program, ...rest] }) => {
      const words = rest.filter((word) => word !== '-s');
      const [verb, second] = words;
      if (program === 'npx' && verb === 'holdfast') return [];
      const script = program === 'npx' ? undefined : verb === 'run' ? second : verb;
      if (program === 'npm' && (script === undefined || !(script in scripts)))
        return [`${place}: ${text}: no such script`];
      const main = /node (\S+\.ts)/.exec(script === undefined ? words.join(' ') : scripts[script])?.[1];
      if (main !== undefined && !existsSync(join(root, main))) return [`${place}: ${text}: no ${main}`];
      const code = main === undefined ? undefined : codeIn(dirname(main));
      const options = words.filter((word) => /^--[a-z]/.test(word) && main !== undefined);
      const files = words.filter((word) => /^(runtime|cloud-lite|lab|test)\//.test(word));
      return [
        ...options
          .filter((option) => !code!.includes(option))
          .map((option) => `${place}: ${text}: no ${option}`),
        ...files
          .filter((file) => !existsSync(join(root, file)))
          .map((file) => `${place}: ${text}: no ${file}`),
      ];
    });
    expect(wrong).toEqual([]);
  });

  it('of the lab say with --help how they are used', async () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const mains = new Set(Object.values(scripts).flatMap((each) => /^node (lab\/\S+)/.exec(each)?.[1] ?? []));
    expect(mains.size).toBeGreaterThan(5);
    for (const main of mains)
      expect((await run(process.execPath, [main, '--help'], { cwd: root })).stdout, main).toMatch(/^Usage: /);
  });

  it('build images from files that there are', () => {
    const builds = of('docker').filter(({ words }) => words.includes('build'));
    expect(builds.length).toBeGreaterThan(1);
    for (const { words } of builds)
      expect(existsSync(join(root, words[words.indexOf('-f') + 1]!))).toBe(true);
  });
});

describe('the launcher', () => {
  // The machine's own programs alone: its Node may be one that cannot run TypeScript.
  const path = (process.env.PATH ?? '').split(delimiter).filter((each) => !each.includes('node_modules'));
  const env = { ...process.env, PATH: path.join(delimiter) };

  it('finds the Node of the project, from any folder, through links, and hands its exit code on', async () => {
    const link = join(folder, 'linked');
    symlinkSync(join(root, 'holdfast'), link);
    const { stdout } = await run(link, ['--version'], { cwd: folder, env });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    await expect(run('./holdfast', ['frobnicate'], { cwd: root, env })).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("unknown command 'frobnicate'"),
    });
  });

  it('is what npx runs', async () => {
    const { stdout } = await run('npx', ['--no-install', 'holdfast', 'check', site], { cwd: root, env });
    expect(stdout).toContain('valid');
  });
});

describe('the first run', () => {
  it('installs, shows how far it is, and does it once', async () => {
    const clone = join(folder, `clone-${++fresh}`);
    const write = (path: string, value: object) => writeFileSync(join(clone, path), JSON.stringify(value));
    for (const each of ['scripts', 'inner']) mkdirSync(join(clone, each), { recursive: true });
    copyFileSync(join(root, 'scripts/install.mjs'), join(clone, 'scripts/install.mjs'));
    const of = { name: 'clone', version: '1.0.0', workspaces: ['inner'] };
    const inner = { name: 'inner', version: '1.0.0' };
    write('package.json', of);
    write('inner/package.json', inner);
    const packages = { '': of, inner, 'node_modules/inner': { resolved: 'inner', link: true } };
    const lockOf = (version: string, more: object = {}) =>
      write('package-lock.json', {
        ...{ name: 'clone', version, lockfileVersion: 3, requires: true, packages: { ...packages, ...more } },
      });
    lockOf('1.0.0');
    const install = () => run(process.execPath, ['scripts/install.mjs'], { cwd: clone });
    // One that was killed amid it, and two at once.
    mkdirSync(join(clone, '.holdfast'));
    writeFileSync(join(clone, '.holdfast/installing'), '99999999');
    const both = await Promise.all([install(), install()]);
    expect(
      both
        .map(({ stderr }) => stderr)
        .sort()
        .join(''),
    ).toMatch(/^Installing dependencies[\s\S]*\nInstalling dependencies: 1 of 1 packages, \d+ s\n/);
    expect(existsSync(join(clone, 'node_modules/inner/package.json'))).toBe(true);
    expect((await install()).stderr).toBe('');
    // Another lockfile of the same packages installs nothing.
    lockOf('1.0.1');
    expect((await install()).stderr).toBe('');
    lockOf('1.0.1', { 'node_modules/other': { version: '1.0.0', integrity: 'sha512-AA==' } });
    expect((await install()).stderr).toContain('Installing dependencies');
    write('package-lock.json', {});
    await expect(install()).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Installing failed'),
    });
  });
});

/** Of a source that is no OPC UA server, `browse` says so. */
function isOtherType(args: readonly string[], code: number): boolean {
  return args[0] === 'browse' && args[1] === site && code === 2;
}

function codeIn(under: string): string {
  return globSync(`${under}/**/*.ts`, { cwd: root })
    .map((path) => readFileSync(join(root, path), 'utf8'))
    .join('\n');
}
