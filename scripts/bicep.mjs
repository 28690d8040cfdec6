// Makes the ARM template of a Bicep file, and holds the file to account meanwhile: every name that is used is declared, every
// parameter is used, every resource type has a dated version. It knows the part of Bicep that deploy/azure/main.bicep uses;
// whatever else is an error. The template is of language version 2.0, whose resources have the names that they have in Bicep.
//
//   npm run -s arm -- deploy/azure/main.bicep > deploy/azure/azuredeploy.json
//
// Runs on any Node from 20 on.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Parser } from './bicep-parser.mjs';

/** ARM's functions, as far as they are used; each with the least number of arguments. */
const functions = new Map([
  ['concat', 1],
  ['empty', 1],
  ['guid', 1],
  ['json', 1],
  ['resourceGroup', 0],
  ['subscriptionResourceId', 2],
  ['uniqueString', 1],
  ['uriComponent', 1],
]);

/** @param {string} text @returns {any} the template @throws Error that names line and cause */
export function armOf(text) {
  const file = new Parser(text).file();
  return new Maker(file).template();
}

/** @typedef {import('./bicep-parser.mjs').Node} Node */

class Maker {
  /** @param {Node[]} statements */
  constructor(statements) {
    /** @type {Map<string, Node>} */
    this.known = new Map();
    for (const each of statements) {
      if (each.kind === 'output') continue;
      if (this.known.has(each.name)) fail(each, `${each.name} is declared twice`);
      this.known.set(each.name, each);
    }
    this.statements = statements;
    /** @type {Set<string>} */
    this.used = new Set();
    /** Resources that what is being made refers to. @type {Set<string>} */
    this.needs = new Set();
  }

  template() {
    const of = (/** @type {string} */ kind) => this.statements.filter((each) => each.kind === kind);
    const made = (/** @type {string} */ kind, /** @type {(each: Node) => any} */ make) =>
      Object.fromEntries(of(kind).map((each) => [each.name, make(each)]));
    const template = {
      $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
      languageVersion: '2.0',
      contentVersion: '1.0.0.0',
      parameters: made('param', (each) => this.parameter(each)),
      variables: made('var', (each) => this.json(each.value)),
      resources: made('resource', (each) => this.resource(each)),
      outputs: made('output', ({ type, value }) => ({ type, value: this.json(value) })),
    };
    for (const each of this.statements)
      if ((each.kind === 'param' || each.kind === 'var') && !this.used.has(each.name))
        fail(each, `${each.name} is never used`);
    return template;
  }

  /** @param {Node} param */
  parameter({ type, marks, value }) {
    const { description, secure, allowed, minLength, maxLength, minValue, maxValue } = marks;
    const plain = (/** @type {Node | undefined} */ node) =>
      node === undefined ? undefined : this.json(node);
    return {
      type: secure ? `secure${type[0].toUpperCase()}${type.slice(1)}` : type,
      ...(value && { defaultValue: this.json(value) }),
      ...(allowed && { allowedValues: plain(allowed) }),
      ...withValue('minLength', plain(minLength)),
      ...withValue('maxLength', plain(maxLength)),
      ...withValue('minValue', plain(minValue)),
      ...withValue('maxValue', plain(maxValue)),
      ...(description && { metadata: { description: plain(description) } }),
    };
  }

  /** @param {Node} resource */
  resource(resource) {
    const { of, isExisting, condition, body } = resource;
    const [type, version] = split(resource);
    this.needs = new Set();
    const fields = Object.fromEntries(body.fields.map((/** @type {any} */ { key, value }) => [key, value]));
    const { name, parent, scope, dependsOn, ...rest } = fields;
    if (name === undefined) fail(resource, 'has no name');
    if (parent) this.resourceNamed(parent);
    if ((type.match(/\//g) ?? []).length > 1 !== (parent !== undefined))
      fail(resource, `${of} and its parent do not fit`);
    const made = {
      ...(isExisting && { existing: true }),
      ...(condition && { condition: this.json(condition) }),
      type,
      apiVersion: version,
      name: textOf(this.nameOf(resource)),
      ...(scope && { scope: textOf(this.idOf(this.resourceNamed(scope))) }),
      ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, this.json(value)])),
    };
    if (dependsOn) for (const item of dependsOn.items) this.resourceNamed(item);
    this.needs.delete(resource.name);
    return isExisting || this.needs.size === 0 ? made : { ...made, dependsOn: [...this.needs].sort() };
  }

  /** @param {Node} node */
  resourceNamed(node) {
    const resource = node.kind === 'name' ? this.known.get(node.name) : undefined;
    if (resource?.kind !== 'resource') return fail(node, `${node.name ?? 'this'} is no resource`);
    // What is there already is waited for by nobody.
    if (!resource.isExisting) this.needs.add(resource.name);
    return resource;
  }

  /** @param {Node} resource @returns {Node[]} its name and those of its parents, from the top */
  segments(resource) {
    const field = (/** @type {string} */ wanted) =>
      resource.body.fields.find((/** @type {any} */ { key }) => key === wanted)?.value;
    const parent = field('parent');
    const above = parent ? this.segments(/** @type {Node} */ (this.known.get(parent.name))) : [];
    return [...above, field('name')];
  }

  /** @param {Node} resource @returns {string} an expression */
  nameOf(resource) {
    const segments = this.segments(resource).map((each) => this.expression(each));
    if (segments.length === 1) return /** @type {string} */ (segments[0]);
    return `format('${segments.map((_, at) => `{${at}}`).join('/')}', ${segments.join(', ')})`;
  }

  /** @param {Node} resource @returns {string} an expression */
  idOf(resource) {
    const names = this.segments(resource).map((each) => this.expression(each));
    return `resourceId('${split(resource)[0]}', ${names.join(', ')})`;
  }

  /** As a value of the template. @param {Node} node @returns {any} */
  json(node) {
    if (node.kind === 'value') return node.value;
    if (node.kind === 'array') return node.items.map((/** @type {Node} */ each) => this.json(each));
    if (node.kind === 'object')
      return Object.fromEntries(
        node.fields.map((/** @type {any} */ { key, value }) => [this.key(key), this.json(value)]),
      );
    return textOf(this.expression(node));
  }

  /** @param {Node | string} key */
  key(key) {
    return typeof key === 'string' ? key : textOf(this.expression(key));
  }

  /** @param {Node} node @returns {string} in ARM's language, without brackets around it */
  expression(node) {
    switch (node.kind) {
      case 'value':
        return typeof node.value === 'boolean' || node.value === null
          ? `${node.value}()`
          : String(node.value);
      case 'text':
        return this.text(node.parts);
      case 'array':
        return `createArray(${node.items.map((/** @type {Node} */ each) => this.expression(each)).join(', ')})`;
      case 'object':
        return `createObject(${node.fields
          .flatMap((/** @type {any} */ { key, value }) => [
            typeof key === 'string' ? quoted(key) : this.expression(key),
            this.expression(value),
          ])
          .join(', ')})`;
      case 'name':
        return this.named(node);
      case 'call':
        return this.called(node);
      case 'method':
        return this.method(node);
      default:
        return this.member(node);
    }
  }

  /** @param {(string | Node)[]} parts */
  text(parts) {
    if (parts.length === 1 && typeof parts[0] === 'string') return quoted(parts[0]);
    /** @type {string[]} */
    const args = [];
    const form = parts.map((part) => {
      if (typeof part === 'string') return part.replace(/[{}]/g, '$&$&');
      args.push(this.expression(part));
      return `{${args.length - 1}}`;
    });
    return `format(${[quoted(form.join('')), ...args].join(', ')})`;
  }

  /** @param {Node} node */
  named(node) {
    const known = this.known.get(node.name);
    if (known === undefined) return fail(node, `${node.name} is not declared`);
    this.used.add(node.name);
    if (known.kind === 'param') return `parameters('${node.name}')`;
    if (known.kind === 'var') return `variables('${node.name}')`;
    return fail(node, `of the resource ${node.name} one property must be named`);
  }

  /** @param {Node} node */
  called(node) {
    const { name, args } = node;
    const own = ['if', 'or', 'and', 'equals', 'not'].includes(name);
    const least = functions.get(name);
    if (!own && least === undefined) return fail(node, `the function ${name} is not known`);
    if (!own && args.length < /** @type {number} */ (least))
      return fail(node, `${name} has too few arguments`);
    return `${name}(${args.map((/** @type {Node} */ each) => this.expression(each)).join(', ')})`;
  }

  /** @param {Node} node */
  method(node) {
    if (node.name !== 'listKeys' || node.args.length > 0) return fail(node, `${node.name} is not known`);
    const resource = this.resourceNamed(node.of);
    return `listKeys(${this.idOf(resource)}, '${split(resource)[1]}')`;
  }

  /** @param {Node} node */
  member(node) {
    const path = [];
    let of = node;
    for (; of.kind === 'member'; of = of.of) path.unshift(of.name);
    const known = of.kind === 'name' ? this.known.get(of.name) : undefined;
    if (known?.kind !== 'resource') return `${this.expression(of)}.${path.join('.')}`;
    const resource = this.resourceNamed(of);
    const [first, ...rest] = path;
    if (first === 'id' && rest.length === 0) return this.idOf(resource);
    if (first === 'name' && rest.length === 0) return this.expression(this.segments(resource).at(-1));
    if (first === 'properties' && rest.length > 0) return `reference('${resource.name}').${rest.join('.')}`;
    return fail(node, `${path.join('.')} of a resource is not known`);
  }
}

/** @returns {never} @param {Node} node @param {string} what */
function fail(node, what) {
  throw new Error(`line ${node.line}: ${what}`);
}

/** @param {Node} resource */
function split(resource) {
  const [type, version] = resource.of.split('@');
  if (!/^Microsoft\.\w+(\/\w+)+$/.test(type) || !/^20\d\d-\d\d-\d\d$/.test(version ?? ''))
    fail(resource, `${resource.of} is no type with a dated version`);
  return /** @type {[string, string]} */ ([type, version]);
}

const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "''")}'`;

/** An expression as a value: a plain text stands for itself. @param {string} expression */
function textOf(expression) {
  const plain = /^'((?:[^']|'')*)'$/.exec(expression)?.[1];
  if (plain === undefined) return `[${expression}]`;
  const text = plain.replaceAll("''", "'");
  return text.startsWith('[') ? `[${text}` : text;
}

/** @param {string} name @param {unknown} value */
function withValue(name, value) {
  return value === undefined ? {} : { [name]: value };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [file] = process.argv.slice(2);
  const usage = 'usage: npm run -s arm -- FILE.bicep\n';
  if (file === '--help' || file === '-h') {
    process.stdout.write(usage);
    process.exit(0);
  }
  if (file === undefined) {
    process.stderr.write(usage);
    process.exit(2);
  }
  try {
    process.stdout.write(`${JSON.stringify(armOf(readFileSync(file, 'utf8')), null, 2)}\n`);
  } catch (error) {
    process.stderr.write(`${file}, ${error instanceof Error ? error.message : error}\n`);
    process.exit(2);
  }
}
