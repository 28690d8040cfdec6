// The deployment templates: as manifests they keep to the published schemas, a gateway's layers merge as the hub merges them, what
// comes of it configures the module, and the container may do no more than it must.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../kernel/clock.ts';
import { expand, merge, mergeNamed } from '../../scripts/manifest.mjs';
import { sbomOf } from '../../scripts/sbom.mjs';
import { root } from '../../test/support/source-tree.ts';
import { statusAddress } from '../health/status-address.ts';
import { archiveNotes } from './archive-notes.ts';
import { checkTwin } from './check-twin.ts';
import { planSite } from './site-plan.ts';

const env = {
  CONTAINER_REGISTRY: 'registry.example.com',
  CONTAINER_REGISTRY_USERNAME: 'reader',
  CONTAINER_REGISTRY_PASSWORD: 'secret',
};
const folder = mkdtempSync(join(tmpdir(), 'holdfast-deployment-'));
afterAll(() => rmSync(folder, { recursive: true }));

const json = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const template = (file: string) => expand(json(file), env);
const layered = 'deploy/layered';
const base = `${layered}/base.template.json`;
const layers = readdirSync(join(root, layered))
  .map((name) => `${layered}/${name}`)
  .filter((file) => file !== base);
const written = (manifest: unknown) => {
  const file = join(folder, 'manifest.json');
  writeFileSync(file, JSON.stringify(manifest));
  return file;
};
const check = async (manifest: unknown) => {
  const { loaded, notes, edgeHubKeepsMs } = await checkTwin(written(manifest), 'holdfast');
  const { config } = loaded!;
  const { total } = planSite(config, systemClock);
  return { config, notes: [...notes, ...archiveNotes(edgeHubKeepsMs, config, total)] };
};

/** Of the drafts that these schemas use of JSON Schema, only the name of `id` differs from what the validator knows. */
function validator(name: string) {
  const { $schema: _, id, ...schema } = json(`test/schemas/${name}.json`);
  return new Ajv({ strict: false }).compile({ $id: id, ...schema });
}
const system = {
  $edgeAgent: validator('azure-iot-edgeagent-deployment-1.1'),
  $edgeHub: validator('azure-iot-edgehub-deployment-1.1'),
};
function expectValid({ modulesContent }: ReturnType<typeof expand>) {
  for (const [name, validate] of Object.entries(system)) {
    validate({ [name]: modulesContent[name] });
    expect(validate.errors ?? [], name).toEqual([]);
  }
}
// biome-ignore lint/suspicious/noExplicitAny: the tests know what they look for.
const moduleOf = ({ modulesContent }: ReturnType<typeof expand>): any =>
  modulesContent.$edgeAgent['properties.desired'].modules.holdfast;
const createOptionsOf = (manifest: ReturnType<typeof expand>) =>
  JSON.parse(moduleOf(manifest).settings.createOptions);

describe('the deployment of one gateway', () => {
  const manifest = template('deployment.template.json');

  it('keeps to the published schemas, and names what IoT Edge is supported with', () => {
    expectValid(manifest);
    const { runtime, systemModules } = manifest.modulesContent.$edgeAgent['properties.desired'];
    expect(runtime.settings.minDockerVersion).toBe('v1.41');
    expect(systemModules.edgeAgent.settings.image).toMatch(/azureiotedge-agent:1\.6$/);
    expect(systemModules.edgeHub.settings.image).toMatch(/azureiotedge-hub:1\.6$/);
  });

  it('configures the module, fits its twin, and keeps what edgeHub may drop', async () => {
    const { config, notes } = await check(manifest);
    expect(config.sources.map(({ name }) => name)).toEqual(['press']);
    expect(notes).toEqual([expect.stringMatching(/^The twin holds \d+ of 32768 bytes \(\d %\)\.$/)]);
    const [published] =
      createOptionsOf(manifest).HostConfig.PortBindings[`${statusAddress(config, true).port}/tcp`];
    // Outside of the container on loopback alone; inside, the bridge of its network has to reach it.
    expect(published.HostIp).toBe('127.0.0.1');
    expect(statusAddress(config, true).host).toBe('0.0.0.0');
  });

  it('lets the container do no more than it must, and no more than that in a layer', () => {
    const least = {
      User: '1000:1000',
      HostConfig: {
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        PidsLimit: expect.any(Number),
        Tmpfs: { '/tmp': expect.stringContaining('noexec') },
        LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      },
    };
    for (const each of [
      manifest,
      template(base),
      ...layers.map((layer) => merge(template(base), template(layer))),
    ]) {
      const options = createOptionsOf(each);
      expect(options).toMatchObject(least);
      expect(options.HostConfig.Privileged).toBeUndefined();
      expect(options.HostConfig.CapAdd).toBeUndefined();
      expect(options.HostConfig.Memory).toBe(options.HostConfig.MemorySwap);
      // A container that names a device which is absent does not start.
      expect(options.HostConfig.Devices).toBeUndefined();
    }
  });
});

describe('layers', () => {
  it('of one kind of site each make a whole deployment of the base', async () => {
    expect(layers.length).toBeGreaterThanOrEqual(4);
    expectValid(template(base));
    for (const layer of layers.filter((file) => !file.includes('rules'))) {
      const merged = merge(template(base), template(layer));
      expectValid(merged);
      const { config } = await check(merged);
      expect(config.sources.length, layer).toBeGreaterThan(0);
    }
  });

  it('stack, in any order where they name different things', async () => {
    const all = layers.map((layer) => template(layer));
    const merged = merge(template(base), ...all);
    expect(merge(template(base), ...all.toReversed()).modulesContent.holdfast).toEqual({
      'properties.desired': expect.objectContaining({
        sources: merged.modulesContent.holdfast['properties.desired'].sources,
      }),
    });
    expectValid(merged);
    const { config, notes } = await check(merged);
    expect(config.sources.map(({ name }) => name).sort()).toEqual(['compressor', 'oven', 'press', 'scale']);
    expect(config.rules.map(({ name }) => name)).toEqual(['hot']);
    expect(notes).toHaveLength(1);
  });

  it('merge by the hub’s rules: a path replaces what stands there, the higher priority wins, the whole replaces all', () => {
    const of = (desired: object) => ({ modulesContent: { holdfast: desired } });
    const start = merge(
      template(base),
      of({ 'properties.desired': { sources: { a: { x: 1, y: 2 }, b: {} } } }),
    );
    const desired = (...more: object[]) =>
      merge(start, ...more.map(of)).modulesContent.holdfast['properties.desired'];
    expect(desired({ 'properties.desired.sources.a': { z: 3 } })).toEqual({
      sources: { a: { z: 3 }, b: {} },
    });
    expect(desired({ 'properties.desired.sources.c.d': 1 })).toMatchObject({ sources: { c: { d: 1 } } });
    expect(
      desired({ 'properties.desired.sources.a.x': 5 }, { 'properties.desired.sources.a.x': 6 }),
    ).toMatchObject({ sources: { a: { x: 6, y: 2 } } });
    expect(desired({ 'properties.desired': { logLevel: 'warn' } })).toEqual({ logLevel: 'warn' });
    expect(() => merge(template(layers[0]!))).toThrow(/a layer alone is no deployment/);
    expect(() => desired({ sources: {} })).toThrow(/holdfast: sources is neither/);
  });

  const of = (desired: object) => ({ modulesContent: { holdfast: desired } });
  const start = (sources: unknown) =>
    merge(template(base), of({ 'properties.desired': { logLevel: 'info', sources } }));
  const merged = (sources: unknown, ...more: object[]) =>
    merge(start(sources), ...more.map(of)).modulesContent.holdfast['properties.desired'];

  it('remove what they set to null, and leave no null behind', () => {
    const both = { a: { host: 'x', tagsFile: 'y' }, b: {} };
    expect(merged(both, { 'properties.desired.sources.b': null })).toEqual({
      logLevel: 'info',
      sources: { a: both.a },
    });
    expect(
      merged(both, { 'properties.desired.sources.a.tagsFile': null, 'properties.desired.logLevel': null }),
    ).toEqual({
      sources: { a: { host: 'x' }, b: {} },
    });
    expect(merged(both, { 'properties.desired.sources.a': { host: 'z', tagsFile: null } })).toMatchObject({
      sources: { a: { host: 'z' } },
    });
    expect(merged(both, { 'properties.desired.sources.c.d.e': null })).toEqual({
      logLevel: 'info',
      sources: both,
    });
    expect(merged(both, { 'properties.desired': { logLevel: 'warn', sources: null } })).toEqual({
      logLevel: 'warn',
    });
  });

  it.each([
    [
      'a list',
      [{ name: 'a' }],
      { 'properties.desired.sources.b': {} },
      /sources\.b cannot be merged into sources, which is a list.*a map by name/,
    ],
    ['a text', 'none', { 'properties.desired.sources.b': {} }, /sources is "none" in what lies below/],
    [
      'a name with a dot',
      {},
      { 'properties.desired.sources.hall.press': { type: 'opcua' } },
      /looks like 'hall\.press' of sources.*name it 'hall-press'/,
    ],
    ['an empty name', {}, { 'properties.desired.sources..press': {} }, /an empty name between its dots/],
    [
      'two of one layer',
      {},
      { 'properties.desired.sources.a.host': 'x', 'properties.desired.sources.a': {} },
      /stand in one layer/,
    ],
    [
      'the whole and a part',
      {},
      { 'properties.desired.sources.a': {}, 'properties.desired': {} },
      /stand in one layer/,
    ],
  ])('that cannot be merged are refused, and say why: %s', (_, sources, layer, message) => {
    expect(() => merged(sources, layer)).toThrow(message);
    expect(() => merged(sources, layer)).toThrow(/^layer 1: holdfast/);
  });

  it('that set the same: the later one counts, and it is said', () => {
    const press = (host: string) => of({ 'properties.desired.sources.press': { host } });
    const { manifest, notes } = mergeNamed(start({}), [
      { name: 'line.json', manifest: press('one') },
      { name: 'hall.json', manifest: press('two') },
      { name: 'all.json', manifest: of({ 'properties.desired.sources': {} }) },
    ]);
    expect(manifest.modulesContent.holdfast['properties.desired'].sources).toEqual({});
    expect(notes).toEqual([
      'hall.json replaces what line.json says of holdfast: properties.desired.sources.press',
      'all.json replaces what line.json says of holdfast: properties.desired.sources.press',
      'all.json replaces what hall.json says of holdfast: properties.desired.sources.press',
    ]);
  });
});

describe('the routes of a gateway', () => {
  const whole = merge(template(base), ...layers.map((layer) => template(layer)));
  type Wanted = {
    uplink: { output: string };
    rules?: Record<string, { outputs: readonly (string | object)[] }>;
  };
  const wantedBy = ({ modulesContent }: ReturnType<typeof expand>): Wanted =>
    modulesContent.holdfast['properties.desired'];
  /** Where a message goes that the module sends to this output. */
  const sinks = ({ modulesContent }: ReturnType<typeof expand>, output: string) =>
    Object.values(modulesContent.$edgeHub['properties.desired'].routes as Record<string, { route: string }>)
      .map(({ route }) => /^FROM (\S+) INTO (.+)$/.exec(route)!)
      .filter(([, from]) =>
        new RegExp(`^${from!.replace('*', '.*')}$`).test(`/messages/modules/holdfast/outputs/${output}`),
      )
      .map(([, , sink]) => sink);

  it('bring upstream what the module sends to the output for telemetry, and nothing else', () => {
    for (const manifest of [template('deployment.template.json'), template(base), whole]) {
      expect(wantedBy(manifest).uplink.output).toBe('telemetry');
      expect(sinks(manifest, 'telemetry')).toEqual(['$upstream']);
      expect(sinks(manifest, 'anything')).toEqual([]);
    }
  });

  it('lead what rules send to other modules, and not to the cloud, where each message is paid for', () => {
    const sent = Object.values(wantedBy(whole).rules!).flatMap(({ outputs }) =>
      outputs.flatMap((output) =>
        typeof output === 'object' && 'send' in output ? [String(output.send)] : [],
      ),
    );
    expect(sent).toEqual(['control']);
    for (const output of sent)
      expect(sinks(whole, output)).toEqual(['BrokeredEndpoint("/modules/controller/inputs/control")']);
  });

  it('are the same in every document and on the dashboard', () => {
    const shown = ['docs/DEPLOY.md', 'docs/RULES.md', 'cloud-lite/dashboard/page/fleet/empty.tsx'].flatMap(
      (file) =>
        [
          ...readFileSync(join(root, file), 'utf8').matchAll(
            /FROM (\/messages\/modules\/holdfast\S*) INTO \$upstream/g,
          ),
        ].map(([, from]) => from),
    );
    expect(shown.length).toBeGreaterThanOrEqual(3);
    expect(new Set(shown)).toEqual(new Set(['/messages/modules/holdfast/outputs/telemetry']));
  });
});

describe('a template', () => {
  it('whose variables are not set is refused by name', () => {
    expect(() => expand(json('deployment.template.json'), {})).toThrow(
      'not set in the environment: CONTAINER_REGISTRY_USERNAME, CONTAINER_REGISTRY_PASSWORD, CONTAINER_REGISTRY',
    );
    expect(() => expand({}, {})).toThrow(/no deployment template/);
  });

  it('cuts long createOptions into pieces that the hub takes', () => {
    const long = { Env: Array.from({ length: 400 }, (_, n) => `NAME_${n}=value of some length`) };
    const { modulesContent } = expand({ modulesContent: { m: { settings: { createOptions: long } } } }, {});
    const pieces = Object.entries(modulesContent.m.settings);
    expect(pieces.map(([name]) => name)).toEqual([
      'createOptions',
      'createOptions01',
      'createOptions02',
      'createOptions03',
    ]);
    expect(pieces.every(([, text]) => (text as string).length <= 4096)).toBe(true);
    expect(JSON.parse(pieces.map(([, text]) => text).join(''))).toEqual(long);
  });
});

describe('check --twin', () => {
  const twin = (desired: unknown) =>
    check({ modulesContent: { holdfast: { 'properties.desired': desired } } });
  const sources = {
    a: {
      type: 'modbus-tcp',
      host: 'h',
      unit: 1,
      pollMs: 1000,
      tags: [{ name: 't', address: 0, type: 'uint16' }],
    },
  };

  it.each([
    [{ sources, 'windows.ageMs': 1 }, /property name "windows\.ageMs" holds a dot/],
    [{ sources: { ...sources, b: { tags: [{ name: null }] } } }, /null in an array/],
    [{ sources, logLevel: 'x'.repeat(5000) }, /more than 4 KB/],
    [
      {
        sources: Object.fromEntries(
          Array.from({ length: 40 }, (_, n) => [`s${n}`, { note: 'x'.repeat(1000) }]),
        ),
      },
      /desired has \d+ bytes, the limit is 32768.*configFile/,
    ],
    [{ sources: { a: { type: 'modbus-tpc' } } }, /did you mean modbus-tcp/],
    [{ configFile: '/data/site.yaml' }, /names the file \/data\/site\.yaml/],
    [{}, /holds nothing/],
  ])('refuses %o', (desired, message) => expect(twin(desired)).rejects.toThrow(message));

  it('takes settings alone, says what they go over, and checks them over the file that is named', async () => {
    const file = join(folder, 'settings.json');
    const site = join(folder, 'site.yaml');
    writeFileSync(file, '{"logLevel": "debug", "windows": {"ageMs": "2min"}}');
    writeFileSync(site, JSON.stringify({ sources, windows: { quietMs: '5min' } }));
    const alone = await checkTwin(file, 'holdfast');
    expect(alone.loaded).toBeUndefined();
    expect(alone.notes[1]).toMatch(/settings alone \(logLevel, windows\).*own file.*--over FILE/);
    const over = await checkTwin(file, 'holdfast', site);
    expect(over.loaded?.config).toMatchObject({
      logLevel: 'debug',
      windows: { ageMs: 120_000, quietMs: 300_000 },
      sources: [{ name: 'a' }],
    });
    expect(over.notes[1]).toMatch(/laid over .*site\.yaml/);
    writeFileSync(site, JSON.stringify({ sources }));
    await expect(checkTwin(file, 'holdfast', site)).rejects.toThrow(
      /windows\.quietMs: .*must be at least ageMs/,
    );
    writeFileSync(file, '{"logLevel": "loud", "rules": []}');
    await expect(checkTwin(file, 'holdfast', site)).rejects.toThrow(
      /2 problems\n.*column 2: logLevel: must be one of.*\n.*rules: does not go over/,
    );
    writeFileSync(file, JSON.stringify({ sources }));
    await expect(checkTwin(file, 'holdfast', site)).rejects.toThrow(/leave --over out/);
  });

  it('says of a twin that is almost full, and has room yet, no 100 %', async () => {
    const tags = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ name: `t${n}`, address: n, type: 'int16' }));
    const used = async (count: number) => {
      const { notes } = await twin({ sources: { a: { type: 'modbus-tcp', host: 'h', tags: tags(count) } } });
      return notes[0];
    };
    expect(await used(1025)).toMatch(/holds 32[67]\d\d of 32768 bytes \(99 %\)/);
  });

  it('tells all that the hub refuses, each with its place', async () => {
    const desired = { sources: { a: { ...sources.a, tags: [null] } }, 'a.b': 1, 'c d': 2, $x: 3 };
    const said = await twin(desired).then(String, String);
    expect(said).toMatch(/: 4 problems/);
    expect(said).toMatch(/- sources\.a\.tags\[0\]: .* null in an array/);
    for (const name of ['a.b', 'c d', '$x']) expect(said).toContain(`- ${name}: the property name "${name}"`);
    expect(said.match(/: rename it$/gm)).toHaveLength(3);
    await expect(twin({ sources: null })).rejects.toThrow(/sources: must be a list of sources, or a map/);
  });

  it('takes of JSON only what the Azure CLI takes, and names the place', async () => {
    const file = join(folder, 'comma.json');
    writeFileSync(
      file,
      '{"modulesContent": {"holdfast": {"properties.desired": {\n  "a": ", }", "sources": [],\n}}}}',
    );
    await expect(checkTwin(file, 'holdfast')).rejects.toThrow(
      /comma\.json: 1 problem\n {2}- line 2, column 28: not valid JSON.*remove the comma/,
    );
    writeFileSync(file, '{"sources": [] # none\n}');
    await expect(checkTwin(file, 'holdfast')).rejects.toThrow(/line 1, column 16: .*no comments/);
  });

  it('says what a layer alone lacks, and what is no file', async () => {
    await expect(check({ modulesContent: {} })).rejects.toThrow(/modulesContent\.holdfast.*--module/);
    await expect(checkTwin(join(folder, 'nothing.json'), 'holdfast')).rejects.toThrow(/ENOENT|no such file/);
  });

  it('warns where edgeHub keeps for longer than the archive', async () => {
    const manifest = template('deployment.template.json');
    const { 'properties.desired': desired } = manifest.modulesContent.holdfast;
    const { notes } = await check(
      merge(manifest, { modulesContent: { holdfast: { 'properties.desired': { ...desired, spool: {} } } } }),
    );
    expect(notes[1]).toMatch(/edgeHub keeps messages for 7\.0 d, the archive .* 3\.0 d/);
  });

  it('warns where the archive has no room for what a large site sends while edgeHub keeps it', async () => {
    const manifest = template('deployment.template.json');
    const { 'properties.desired': desired } = manifest.modulesContent.holdfast;
    const tags = Array.from({ length: 100 }, (_, at) => ({
      name: `t${at}`,
      address: 2 * at,
      type: 'float32',
    }));
    const sources = { press: { ...(desired.sources as { press: object }).press, pollMs: 200, tags } };
    const large = merge(manifest, {
      modulesContent: { holdfast: { 'properties.desired': { ...desired, sources } } },
    });
    const { notes } = await check(large);
    expect(notes[1]).toMatch(
      /may send [\d,]+ MB in that time; the archive keeps 537 MB .*archiveBytes larger/,
    );
    expect(notes).toHaveLength(2);
  });
});

describe('the release workflow', () => {
  const text = readFileSync(join(root, '.github/workflows/release.yml'), 'utf8');
  const { jobs } = parse(text);

  it('builds both images for both architectures, after the tests, and signs what it built', () => {
    expect(jobs.publish.needs).toBe('test');
    const { include } = jobs.publish.strategy.matrix;
    for (const { dockerfile, workspace } of include) {
      expect(readFileSync(join(root, dockerfile), 'utf8')).toContain(`--workspace ${workspace}`);
      expect(readFileSync(join(root, dockerfile), 'utf8')).toContain('ARG RUNTIME_IMAGE=');
    }
    expect(text).toContain('platforms: linux/amd64,linux/arm64');
    expect(text).toMatch(/cosign sign --yes "\$IMAGE@/);
  });

  it('lists the packages that are installed for the image, scoped and nested ones too, and says what lacks', () => {
    expect(text).toContain('node scripts/sbom.mjs ${{ matrix.workspace }} >');
    const at = mkdtempSync(join(folder, 'sbom-'));
    const put = (path: string, value: object) => {
      mkdirSync(join(at, path, '..'), { recursive: true });
      writeFileSync(join(at, path), JSON.stringify(value));
    };
    const sum = Buffer.alloc(64, 1);
    put('runtime/package.json', { name: '@own/runtime', version: '1.0.0' });
    put('package-lock.json', {
      packages: {
        runtime: { dependencies: { '@a/b': '1' } },
        'node_modules/@a/b': { integrity: `sha512-${sum.toString('base64')}`, dev: true },
      },
    });
    expect(() => sbomOf(at, 'runtime')).toThrow(/not installed: @a\/b; run npm ci/);
    put('node_modules/@a/b/package.json', { name: '@a/b', version: '1.0.0', license: 'MIT' });
    put('node_modules/@a/b/esm/package.json', { type: 'module' });
    put('node_modules/@a/b/node_modules/c/package.json', { name: 'c', version: '2.0.0' });
    put('node_modules/c/package.json', { name: 'c', version: '3.0.0' });
    const { components } = sbomOf(at, 'runtime');
    expect(components.map(({ purl }) => purl)).toEqual([
      'pkg:npm/%40a/b@1.0.0',
      'pkg:npm/c@2.0.0',
      'pkg:npm/c@3.0.0',
    ]);
    expect(components[0]?.hashes?.[0]?.content).toBe(sum.toString('hex'));
  });

  it('names no registry: the repository does', () => {
    expect(text.match(/registry: .*/g)).toEqual(['registry: ${{ vars.IMAGE_REGISTRY }}']);
  });

  it('releases one version everywhere', () => {
    const { version } = json('package.json');
    for (const workspace of ['runtime', 'cloud-lite', 'lab'])
      expect(json(`${workspace}/package.json`).version).toBe(version);
    for (const file of ['deployment.template.json', base, `${layered}/serial-instruments.template.json`]) {
      const module = moduleOf(
        file.includes('serial') ? merge(template(base), template(file)) : template(file),
      );
      expect(module.version).toBe(version);
      expect(module.settings.image).toContain(`:${version}-arm64v8`);
    }
  });
});
