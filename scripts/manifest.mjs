// Makes deployment manifests of templates: `$NAME` of the environment is put in, createOptions become the text that edgeAgent
// reads. With layers the result is what a gateway gets: a base and, in the order of their priorities, its layers, merged as
// IoT Hub merges them.
//
//   npm run -s manifest -- TEMPLATE              one manifest, for `az iot edge deployment create --content`
//   npm run -s manifest -- BASE LAYER...         what a gateway gets, to look at and for `holdfast check --twin`
//
// Runs on any Node from 20 on.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const usage = `usage: npm run -s manifest -- TEMPLATE              one manifest, $NAME of the environment put in
       npm run -s manifest -- BASE LAYER...         what a gateway gets of a base and its layers
`;

/** The hub's limit for a text in a twin; longer createOptions go on in createOptions01, createOptions02 ... */
const maxText = 4096;
const whole = 'properties.desired';
const layered = `${whole}.`;

/** @param {any} template @param {Readonly<Record<string, string | undefined>>} env @throws Error naming what is not set */
export function expand(template, env) {
  const missing = new Set();
  const put = (/** @type {string} */ text) =>
    text.replace(/\$([A-Z][A-Z0-9_]*)/g, (_, name) => {
      if (env[name] === undefined) missing.add(name);
      return env[name] ?? '';
    });
  const visit = (/** @type {any} */ value) => {
    if (typeof value === 'string') return put(value);
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== 'object' || value === null) return value;
    const { createOptions, ...rest } = value;
    const visited = Object.fromEntries(Object.entries(rest).map(([name, inner]) => [name, visit(inner)]));
    return typeof createOptions === 'object'
      ? { ...visited, ...inPieces(JSON.stringify(visit(createOptions))) }
      : visited;
  };
  const { modulesContent } = template;
  if (typeof modulesContent !== 'object' || modulesContent === null)
    throw new Error('modulesContent is missing: this is no deployment template');
  const expanded = visit(modulesContent);
  if (missing.size > 0) throw new Error(`not set in the environment: ${[...missing].join(', ')}`);
  return { modulesContent: expanded };
}

function inPieces(text) {
  const pieces = text.match(new RegExp(`[^]{1,${maxText}}`, 'g')) ?? [''];
  return Object.fromEntries(
    pieces.map((piece, n) => [
      n === 0 ? 'createOptions' : `createOptions${String(n).padStart(2, '0')}`,
      piece,
    ]),
  );
}

/**
 * By the hub's rules for layered deployments: `properties.desired` of a layer replaces what lower ones say of the module;
 * `properties.desired.a.b` replaces what stands at a.b alone, and null removes it.
 * @param {any} base @param {...any} layers by priority, the lowest first
 * @throws Error where the base is none, or a layer cannot be meant so
 */
export function merge(base, ...layers) {
  return mergeNamed(
    base,
    layers.map((manifest, n) => ({ name: `layer ${n + 1}`, manifest })),
  ).manifest;
}

/**
 * The same, with names of the layers for what is said of them: errors, and notes of layers that set the same.
 * @param {any} base @param {readonly {name: string, manifest: any}[]} layers
 * @returns {{manifest: any, notes: string[]}}
 */
export function mergeNamed(base, layers) {
  const manifest = structuredClone(base);
  for (const system of ['$edgeAgent', '$edgeHub'])
    if (manifest.modulesContent[system]?.['properties.desired'] === undefined)
      throw new Error(`the base does not say what ${system} is: a layer alone is no deployment`);
  /** @type {{of: string, path: string, layer: string}[]} */
  const set = [];
  const notes = [];
  for (const { name, manifest: layer } of layers) {
    for (const [module, parts] of Object.entries(layer.modulesContent)) {
      checkPaths(Object.keys(parts), `${name}: ${module}`);
      for (const [path, value] of Object.entries(parts)) {
        manifest.modulesContent[module] ??= { 'properties.desired': {} };
        const of = manifest.modulesContent[module];
        if (path === whole) of[path] = withoutNulls(value);
        else {
          const names = path.slice(layered.length).split('.');
          checkNames(names, value, `${name}: ${module}: ${path}`);
          place(of[whole], names, value, `${name}: ${module}`);
        }
        for (const other of set)
          if (other.of === module && (other.path === path || other.path.startsWith(`${path}.`)))
            notes.push(`${name} replaces what ${other.layer} says of ${module}: ${other.path}`);
        set.push({ of: module, path, layer: name });
      }
    }
  }
  return { manifest, notes };
}

/** What one layer says of a module: the order of its own keys must not matter. */
function checkPaths(paths, where) {
  for (const path of paths) {
    if (path !== whole && !path.startsWith(layered))
      throw new Error(`${where}: ${path} is neither properties.desired nor a path below it`);
    if (path.split('.').includes('')) throw new Error(`${where}: ${path} has an empty name between its dots`);
    const outer = paths.find((other) => path.startsWith(`${other}.`));
    if (outer !== undefined)
      throw new Error(`${where}: ${outer} and ${path} stand in one layer: write it as one of both`);
  }
}

/** A source or rule whose name has a dot would become a setting of another one. */
function checkNames(names, value, where) {
  const [map, ...rest] = names;
  if (!['sources', 'rules'].includes(map) || rest.length < 2 || typeof value !== 'object' || value === null)
    return;
  if (!['type', 'query', 'when'].some((key) => key in value)) return;
  throw new Error(
    `${where} looks like '${rest.join('.')}' of ${map}: a name in a map has no dot; name it '${rest.join('-')}'`,
  );
}

function place(object, [name, ...rest], value, where, done = []) {
  const path = [...done, name];
  if (rest.length === 0) {
    if (value === null) delete object[name];
    else object[name] = withoutNulls(value);
    return;
  }
  // There is nothing to remove.
  if (object[name] === undefined && value === null) return;
  object[name] ??= {};
  if (Array.isArray(object[name]))
    throw new Error(
      `${where}: ${[...path, ...rest].join('.')} cannot be merged into ${path.join('.')}, which is a list in what lies below: ` +
        `make it a map by name there ({"NAME": {..}}), or replace all of ${path.join('.')}`,
    );
  if (typeof object[name] !== 'object')
    throw new Error(
      `${where}: ${path.join('.')} is ${JSON.stringify(object[name])} in what lies below, and holds nothing`,
    );
  place(object[name], rest, value, where, path);
}

/** A twin holds none: null says that there is no such key. In lists they stay, and `check --twin` refuses them. */
function withoutNulls(value) {
  if (Array.isArray(value)) return value.map((each) => (each === null ? null : withoutNulls(each)));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([name, inner]) => [name, withoutNulls(inner)]),
  );
}

function read(file) {
  try {
    return expand(JSON.parse(readFileSync(file, 'utf8')), process.env);
  } catch (error) {
    throw new Error(`${file}: ${error.message}`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const files = process.argv.slice(2);
  if (files.includes('--help') || files.includes('-h')) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    if (files.length === 0) throw new Error(`name a template, or a base and its layers\n${usage}`);
    const [base, ...layers] = files.map((name) => ({ name, manifest: read(name) }));
    const { manifest, notes } =
      layers.length === 0 ? { manifest: base.manifest, notes: [] } : mergeNamed(base.manifest, layers);
    for (const note of notes) process.stderr.write(`manifest: ${note}\n`);
    process.stdout.write(`${JSON.stringify(manifest, null, 2)}\n`);
  } catch (error) {
    process.stderr.write(`manifest: ${error.message}\n`);
    process.exitCode = 2;
  }
}
