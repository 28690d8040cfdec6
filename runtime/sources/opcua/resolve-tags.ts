// Finds the node of each tag: node ids as they are written, browse paths and folders as the server has them now.
import { describeError } from '../../../kernel/errors.ts';
import type { OpcuaFolderConfig, OpcuaSourceConfig, OpcuaTagConfig } from './config.ts';
import type { OpcuaSession, WireStatus } from './opcua-session.ts';
import { causeOf } from './quality.ts';
import { walk } from './walk.ts';

export interface Monitoring {
  readonly samplingMs: number;
  readonly queueSize: number;
  readonly trigger: 'value' | 'timestamp';
  readonly deadband?: { readonly kind: 'absolute' | 'percent'; readonly value: number };
}

export interface ResolvedTag {
  readonly name: string;
  readonly nodeId: string;
  readonly monitoring: Monitoring;
}

export interface UnresolvedTag {
  readonly name: string;
  /** As in a quality: `node-id-unknown`. */
  readonly cause: string;
}

export interface Resolved {
  readonly tags: readonly ResolvedTag[];
  readonly unresolved: readonly UnresolvedTag[];
  /** For the log: folders that could not be read whole, names that occur twice. */
  readonly problems: readonly string[];
}

/** `only`: the tags with these names, and no folders. */
export async function resolveTags(
  session: OpcuaSession,
  config: OpcuaSourceConfig,
  only?: ReadonlySet<string>,
): Promise<Resolved> {
  const wanted = config.tags.filter(({ name }) => only === undefined || only.has(name));
  const tags: ResolvedTag[] = [];
  const unresolved: UnresolvedTag[] = [];
  const problems: string[] = [];
  const places = await findNodes(session, wanted);
  for (const [at, tag] of wanted.entries()) {
    const place = places[at]!;
    if (typeof place === 'string')
      tags.push({ name: tag.name, nodeId: place, monitoring: monitoringOf(config, tag) });
    else unresolved.push({ name: tag.name, cause: causeOf(place.name) });
  }
  if (only === undefined) {
    const names = new Set(config.tags.map(({ name }) => name));
    for (const folder of config.folders) {
      const found = await readFolder(session, folder, problems);
      for (const { name, nodeId } of found) {
        if (names.has(name)) problems.push(`'${name}' is the name of two values: the second is left out`);
        else tags.push({ name, nodeId, monitoring: monitoringOf(config, folder) });
        names.add(name);
      }
    }
  }
  return { tags, unresolved, problems };
}

/** A node id for each place, or why there is none. */
export async function findNodes(
  session: OpcuaSession,
  places: readonly Pick<OpcuaTagConfig, 'node' | 'path'>[],
): Promise<readonly (string | WireStatus)[]> {
  const paths = places.filter(({ node }) => node === undefined).map(({ path }) => path ?? '');
  const translated = paths.length > 0 ? await session.translate(paths) : [];
  let next = 0;
  return places.map(({ node }) =>
    node === undefined ? translated[next++]! : withIndex(node, session.namespaces),
  );
}

const namespaceUnknown: WireStatus = { value: 0x8033_0000, name: 'BadNamespaceUnknown' };

/** `nsu=` names a namespace; its number may be another after each start of a server. */
function withIndex(node: string, namespaces: readonly string[]): string | WireStatus {
  const named = /^nsu=([^;]+);(.*)$/s.exec(node);
  if (!named) return node;
  const index = namespaces.indexOf(named[1]!);
  return index < 0 ? namespaceUnknown : `ns=${index};${named[2]}`;
}

async function readFolder(
  session: OpcuaSession,
  folder: OpcuaFolderConfig,
  problems: string[],
): Promise<readonly { name: string; nodeId: string }[]> {
  const where = `folder ${folder.node ?? folder.path}`;
  const [root] = await findNodes(session, [folder]);
  if (typeof root !== 'string') {
    problems.push(`${where} is not there (${root?.name})`);
    return [];
  }
  try {
    const { maxTags, maxDepth, prefix } = folder;
    const found = await walk(session, root, { maxVariables: maxTags, maxDepth });
    if (found.isCut)
      problems.push(`${where} holds more than its maxTags (${maxTags}) or maxDepth (${maxDepth}) allow`);
    return found.variables.map(({ path, nodeId }) => ({ name: tagName(prefix, path), nodeId }));
  } catch (error) {
    session.lost.throwIfAborted();
    problems.push(`${where} cannot be read: ${describeError(error)}`);
    return [];
  }
}

/** `2:Line1` becomes `Line1`. At most 128 characters, the end counting most. */
export function tagName(prefix: string, path: readonly string[]): string {
  const name = prefix + path.map((part) => part.replace(/^\d+:/, '')).join('.');
  return name.length > 128 ? name.slice(-128) : name;
}

function monitoringOf(
  config: OpcuaSourceConfig,
  own: Pick<OpcuaTagConfig, 'samplingMs' | 'queueSize' | 'deadband' | 'deadbandType' | 'trigger'>,
): Monitoring {
  const { deadband, deadbandType: kind = 'absolute' } = own;
  return {
    samplingMs: own.samplingMs ?? config.samplingMs ?? config.publishMs,
    queueSize: own.queueSize ?? config.queueSize,
    trigger: own.trigger ?? config.trigger,
    ...(deadband !== undefined && { deadband: { kind, value: deadband } }),
  };
}
