// Lists a server's variables, for a person who configures a site: each with its node id, type and value.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Quality, Value } from '../../../wire/reading.ts';
import { chunk } from './chunk.ts';
import { browsePath, nodeId } from './config-shapes.ts';
import { contentOf } from './content.ts';
import type { OpcuaSession } from './opcua-session.ts';
import { findNodes, tagName } from './resolve-tags.ts';
import { typeName } from './values.ts';
import { walk } from './walk.ts';

export interface BrowseLimits {
  readonly maxTags: number;
  readonly maxDepth: number;
}

export interface BrowsedTag {
  readonly name: string;
  /** With the namespace itself where it has one: its number may change when the server is changed. */
  readonly node: string;
  readonly path: string;
  /** `Double`, `Double[3]`. */
  readonly type: string;
  readonly value: Value;
  readonly quality: Quality;
  readonly writable: boolean;
  readonly hasHistory: boolean;
}

export interface BrowseListing {
  readonly tags: readonly BrowsedTag[];
  /** There is more than the limits let in. */
  readonly isCut: boolean;
}

const objectsFolder = 'ns=0;i=85';
/** The server's own workings, aliases and locations: hundreds of variables that are no values of a process. */
const ownNodes = new Set(['ns=0;i=2253', 'ns=0;i=23470', 'ns=0;i=31915']);
const accessLevel = 17;
const canWrite = 0b10;
const canReadHistory = 0b100;
const atOnce = 200;

/**
 * `from`: a node id or browse path; default: the Objects folder, without what is the server's own.
 * @throws HoldfastError `opcua-bad-node` where `from` is none, or is not there
 */
export async function browseServer(
  session: OpcuaSession,
  from: string | undefined,
  { maxTags, maxDepth }: BrowseLimits,
): Promise<BrowseListing> {
  const root = from === undefined ? objectsFolder : await findRoot(session, from);
  const skip = from === undefined ? ownNodes : new Set<string>();
  const { variables, isCut } = await walk(session, root, { maxVariables: maxTags, maxDepth, skip });
  const tags: BrowsedTag[] = [];
  for (const part of chunk(variables, atOnce)) {
    const nodes = part.map((variable) => variable.nodeId);
    const [values, levels] = [await session.read(nodes), await session.read(nodes, accessLevel)];
    for (const [at, { path, nodeId: id }] of part.entries()) {
      const level = Number(levels[at]!.value?.value ?? 0);
      tags.push({
        name: tagName('', path),
        node: withNamespace(id, session.namespaces),
        path: path.join('/'),
        type: typeName(values[at]!.value),
        ...contentOf(values[at]!),
        writable: (level & canWrite) !== 0,
        hasHistory: (level & canReadHistory) !== 0,
      });
    }
  }
  return { tags, isCut };
}

async function findRoot(session: OpcuaSession, from: string): Promise<string> {
  const isNode = nodeId.safeParse(from).success;
  if (!isNode && !browsePath.safeParse(from).success)
    throw noNode(from, 'it is neither a node id nor a browse path');
  const [found] = await findNodes(session, [isNode ? { node: from } : { path: from }]);
  if (typeof found === 'string') return found;
  throw noNode(from, `the server answers ${found?.name}`);
}

function noNode(from: string, why: string): HoldfastError {
  const message = `no node '${from.slice(0, 200)}': ${why}. Give one such as "ns=2;s=Line1", or a path such as "2:Line1/2:Oven"`;
  return new HoldfastError('opcua-bad-node', message);
}

function withNamespace(id: string, namespaces: readonly string[]): string {
  const [, index, rest] = /^ns=(\d+);(.*)$/s.exec(id) ?? [];
  const uri = index === undefined || index === '0' ? undefined : namespaces[Number(index)];
  if (uri === undefined || uri.includes(';')) return id.replace(/^ns=0;/, '');
  return `nsu=${uri};${rest}`;
}
