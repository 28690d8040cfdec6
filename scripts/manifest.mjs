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

/** The hub's limit for a text in a twin; longer createOptions go on in createOptions01, createOptions02 ... */
const maxText = 4096;
const layered = 'properties.desired.';

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
 * `properties.desired.a.b` replaces what stands at a.b alone.
 * @param {any} base @param {...any} layers by priority, the lowest first @throws Error where the base is none
 */
export function merge(base, ...layers) {
  const result = structuredClone(base);
  for (const system of ['$edgeAgent', '$edgeHub'])
    if (result.modulesContent[system]?.['properties.desired'] === undefined)
      throw new Error(`the base does not say what ${system} is: a layer alone is no deployment`);
  for (const { modulesContent } of layers) {
    for (const [module, parts] of Object.entries(modulesContent)) {
      for (const [path, value] of Object.entries(parts)) {
        result.modulesContent[module] ??= { 'properties.desired': {} };
        const of = result.modulesContent[module];
        if (path === 'properties.desired') of[path] = structuredClone(value);
        else if (path.startsWith(layered))
          place(of['properties.desired'], path.slice(layered.length).split('.'), value);
        else throw new Error(`${module}: ${path} is neither properties.desired nor a path below it`);
      }
    }
  }
  return result;
}

function place(object, [name, ...rest], value) {
  if (rest.length === 0) object[name] = structuredClone(value);
  else {
    if (typeof object[name] !== 'object' || object[name] === null || Array.isArray(object[name]))
      object[name] = {};
    place(object[name], rest, value);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const files = process.argv.slice(2);
  try {
    if (files.length === 0) throw new Error('name a template, or a base and its layers');
    const [base, ...layers] = files.map((file) =>
      expand(JSON.parse(readFileSync(file, 'utf8')), process.env),
    );
    process.stdout.write(`${JSON.stringify(layers.length === 0 ? base : merge(base, ...layers), null, 2)}\n`);
  } catch (error) {
    process.stderr.write(`manifest: ${error.message}\n`);
    process.exitCode = 2;
  }
}
