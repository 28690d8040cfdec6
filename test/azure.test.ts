// The cloud's templates, as far as a machine without a subscription can hold them to account.
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { armOf } from '../scripts/bicep.mjs';
import { root } from './support/source-tree.ts';

const run = promisify(execFile);
const read = (file: string) => readFileSync(join(root, 'deploy/azure', file), 'utf8');
const bicep = read('main.bicep');
const template = armOf(bicep);

describe('the templates', () => {
  it('are in step: after a change, `npm run -s arm -- deploy/azure/main.bicep > deploy/azure/azuredeploy.json`', () => {
    expect(JSON.parse(read('azuredeploy.json'))).toEqual(JSON.parse(JSON.stringify(template)));
  });

  it('have what the cloud side is made of', () => {
    const types = Object.values(template.resources).map(({ type }) => type);
    for (const type of [
      'Microsoft.Devices/IotHubs',
      'Microsoft.EventHub/namespaces/eventhubs/consumergroups',
      'Microsoft.DBforPostgreSQL/flexibleServers',
      'Microsoft.App/containerApps',
      'Microsoft.ManagedIdentity/userAssignedIdentities',
      'Microsoft.Authorization/roleAssignments',
      'Microsoft.OperationalInsights/workspaces',
    ])
      expect(types).toContain(type);
  });

  it('give the detector what its settings need, under names that it reads', () => {
    const settings = readFileSync(join(root, 'cloud-lite/settings.ts'), 'utf8');
    const named = [...bicep.matchAll(/name: '((?:HOLDFAST|DATABASE)_[A-Z_]+)'/g)].map(([, name]) => name!);
    expect(named).toContain('DATABASE_URL');
    expect(named).toContain('HOLDFAST_EVENTHUB_NAMESPACE');
    expect(named).toContain('HOLDFAST_HUB_HOSTNAME');
    expect(named.filter((name) => !settings.includes(name))).toEqual([]);
  });

  it('keep secrets out of plain parameters, variables and outputs', () => {
    const { parameters, outputs } = template;
    for (const name of ['databasePassword', 'apiToken', 'alertWebhook'])
      expect(parameters[name]?.type).toBe('secureString');
    expect(JSON.stringify(outputs)).not.toMatch(/databasePassword|apiToken|listKeys|alertWebhook/);
  });

  it.each(['dev', 'production'])(
    '%s has parameters that there are, of their types, within their bounds',
    (kind) => {
      const given: Record<string, { value: unknown }> = JSON.parse(
        read(`${kind}.parameters.json`),
      ).parameters;
      const wrong = Object.entries(given).filter(
        ([name, { value }]) => !fits(template.parameters[name], value),
      );
      expect(wrong).toEqual([]);
      const open = Object.entries(template.parameters).filter(
        ([name, { defaultValue }]) => defaultValue === undefined && given[name] === undefined,
      );
      expect(open.map(([name]) => name)).toEqual(['detectorImage', 'databasePassword', 'apiToken']);
    },
  );
});

interface Declared {
  readonly type: string;
  readonly allowedValues?: readonly unknown[];
  readonly minValue?: number;
  readonly maxValue?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

function fits(declared: Declared | undefined, value: unknown): boolean {
  if (declared === undefined) return false;
  const { type, allowedValues, minValue = -1e9, maxValue = 1e9, minLength = 0, maxLength = 1e9 } = declared;
  if (allowedValues !== undefined && !allowedValues.includes(value)) return false;
  if (type === 'int')
    return Number.isInteger(value) && Number(value) >= minValue && Number(value) <= maxValue;
  if (type === 'bool') return typeof value === 'boolean';
  return typeof value === 'string' && value.length >= minLength && value.length <= maxLength;
}

describe('a template that is wrong', () => {
  const param = 'param prefix string\noutput o string = prefix\n';
  it.each([
    ['a parameter that nothing uses', 'param prefix string\n', /line 1: prefix is never used/],
    ['a name that is not declared', 'output o string = nobody\n', /line 1: nobody is not declared/],
    ['a name that is declared twice', `${param}var prefix = 'x'\n`, /line 3: prefix is declared twice/],
    ['a version without a date', `${param}resource r 'Microsoft.App/x@latest' = {\n  name: prefix\n}\n`, /dated version/],
    ['a resource that is none', `${param}resource r 'Microsoft.App/x@2024-03-01' = {\n  name: prefix\n  dependsOn: [\n    prefix\n  ]\n}\n`, /line 6: prefix is no resource/],
    ['a child without its parent', `${param}resource r 'Microsoft.App/x/y@2024-03-01' = {\n  name: prefix\n}\n`, /parent do not fit/],
    ['a function that is not known', 'output o string = sing(1)\n', /line 1: the function sing is not known/],
    ['a bracket that is open', "output o array = [\n  'x'\n", /line \d: a name is missing/],
    ['a text that is open', "output o string = 'x\n", /line 1: ' is missing/],
  ])('is refused for %s', (_what, text, why) => expect(() => armOf(text)).toThrow(why)); // biome-ignore format: a table
});

it('makes what the language means', () => {
  const made = armOf(
    `
param prefix string
var names = {
  one: 'it''s'
}
resource top 'Microsoft.App/tops@2024-03-01' = if (prefix == 'x') {
  name: '\${prefix}-top'
}
resource inner 'Microsoft.App/tops/inners@2024-03-01' = {
  parent: top
  name: 'inner' // of the top
  properties: {
    of: top.id
    state: top.properties.state.name
    plain: '[not an expression'
    one: names.one
    choice: empty(prefix) ? 'none' : concat(['a'], [prefix])
  }
}
output o string = inner.name
`.replace("it''s", "it\\'s"),
  );
  expect(made.resources).toEqual({
    top: {
      condition: "[equals(parameters('prefix'), 'x')]",
      type: 'Microsoft.App/tops',
      apiVersion: '2024-03-01',
      name: "[format('{0}-top', parameters('prefix'))]",
    },
    inner: {
      type: 'Microsoft.App/tops/inners',
      apiVersion: '2024-03-01',
      name: "[format('{0}/{1}', format('{0}-top', parameters('prefix')), 'inner')]",
      properties: {
        of: "[resourceId('Microsoft.App/tops', format('{0}-top', parameters('prefix')))]",
        state: "[reference('top').state.name]",
        plain: '[[not an expression',
        one: "[variables('names').one]",
        choice:
          "[if(empty(parameters('prefix')), 'none', concat(createArray('a'), createArray(parameters('prefix'))))]",
      },
      dependsOn: ['top'],
    },
  });
  expect(made.variables).toEqual({ names: { one: "it's" } });
});

describe('deploy.sh', () => {
  const folder = mkdtempSync(join(tmpdir(), 'azure-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const log = join(folder, 'log');
  beforeEach(() => rmSync(log, { force: true }));
  const az = join(folder, 'az');
  writeFileSync(
    az,
    `#!/bin/bash
echo "$*" >> ${log}
[ "$1 $2" = "group exists" ] && echo "\${GROUP_EXISTS:-false}"
[ "$1 $2 $3" = "deployment group list" ] && echo "\${DEPLOYED:-0}"
for a in "$@"; do case $a in @/tmp*|@${tmpdir()}*) cat "\${a#@}" > ${folder}/secrets.json;; esac; done
[ "$1 $2 $3" != "deployment group create" ] || exit "\${FAILS:-0}"
`,
  );
  chmodSync(az, 0o755);
  const deploy = (args: readonly string[], more: Record<string, string> = {}) =>
    run(join(root, 'deploy/azure/deploy.sh'), args, {
      env: { PATH: `${folder}:${process.env.PATH}`, TMPDIR: tmpdir(), ...more },
    });

  it('makes the group, and hands over secrets in no argument', async () => {
    const { stderr } = await deploy(['rg', 'dev', 'r/detector:1', 'northeurope', 'hubUnits=2'], {
      API_TOKEN: 'a"b\\c-token-of-sixteen',
    });
    const calls = readFileSync(log, 'utf8');
    expect(calls).toMatch(
      /^group exists --name rg\ngroup create --name rg --location northeurope .*\ndeployment group create /,
    );
    expect(calls).toMatch(
      /--template-file \S+\/azuredeploy\.json --parameters @\S+dev\.parameters\.json .*--parameters hubUnits=2/,
    );
    const { parameters } = JSON.parse(readFileSync(join(folder, 'secrets.json'), 'utf8'));
    expect(parameters.apiToken.value).toBe('a"b\\c-token-of-sixteen');
    const password = parameters.databasePassword.value;
    expect(password).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(stderr).toContain(`DATABASE_PASSWORD=${password}`);
    expect(calls).not.toContain(password);
  });

  it('only looks with WHAT_IF: makes no group, tells no password, and the deployment after it is the first', async () => {
    const look = (more: Record<string, string>) => deploy(['rg', 'dev', 'image'], { WHAT_IF: '1', ...more });
    await expect(look({})).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('az group create --name rg --location westeurope'),
    });
    expect(readFileSync(log, 'utf8')).toBe('group exists --name rg\n');
    for (const deployed of ['0', '1'])
      expect((await look({ GROUP_EXISTS: 'true', DEPLOYED: deployed })).stderr).toBe('');
    expect(readFileSync(log, 'utf8')).toMatch(/deployment group what-if/);
    expect(readFileSync(log, 'utf8')).not.toMatch(/ create /);
    const first = await deploy(['rg', 'dev', 'image'], { GROUP_EXISTS: 'true' });
    expect(first.stderr).toMatch(/DATABASE_PASSWORD=\w{32} .*\nAPI_TOKEN=\w{32} /);
  });

  it('tells what it made up although the deployment fails, since the database may have it', async () => {
    await expect(deploy(['rg', 'dev', 'image'], { FAILS: '1' })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/DATABASE_PASSWORD=\w{32} /),
    });
  });

  it('makes up no password for what was deployed before, and says how it is used', async () => {
    await expect(
      deploy(['rg', 'dev', 'image'], { GROUP_EXISTS: 'true', DEPLOYED: '1' }),
    ).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('DATABASE_PASSWORD must be set'),
    });
    await expect(deploy(['rg', 'staging'])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("deploy.sh: 'staging' is no kind of deployment: dev or production"),
    });
    expect((await deploy(['--help'])).stdout).toContain('dev|production IMAGE');
    for (const script of ['manifest.mjs', 'bicep.mjs'])
      expect((await run(process.execPath, [join(root, 'scripts', script), '--help'])).stdout).toMatch(
        /^usage: npm run/,
      );
    await expect(deploy(['rg', 'nonsense', 'image'])).rejects.toMatchObject({ code: 2 });
    await expect(deploy([])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('GROUP dev|production IMAGE'),
    });
  });
});
