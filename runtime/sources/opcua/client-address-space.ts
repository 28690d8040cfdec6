// Reads values, browses and finds paths with the driver library: the services that look at a server's address space.
import {
  type Ask,
  counted,
  hasBytes,
  hierarchicalReferences,
  type LibraryResponse,
  pathElements,
  toReference,
} from './client-requests.ts';
import {
  AttributeIds,
  BrowseNextRequest,
  BrowseRequest,
  coerceNodeId,
  NodeClass,
  ReadRequest,
  TimestampsToReturn,
  TranslateBrowsePathsToNodeIdsRequest,
} from './library.ts';
import type { Browsed, WireStatus, WireValue } from './opcua-session.ts';
import type { OperationSizes } from './operation-sizes.ts';

const objectsFolder = 'i=85';
/** References of one node, and answers that they may be spread over. */
const maxReferences = 20_000;
const maxBrowseRounds = 200;
const noMatch: WireStatus = { value: 0x806f_0000, name: 'BadNoMatch' };

/** In the order of `nodeIds`. */
export function readValues(
  ask: Ask,
  sizes: OperationSizes,
  nodeIds: readonly string[],
  attributeId: number = AttributeIds.Value,
): Promise<WireValue[]> {
  return sizes.inParts('nodesPerRead', nodeIds, async (part) => {
    const nodesToRead = part.map((nodeId) => ({ nodeId: coerceNodeId(nodeId), attributeId }));
    const request = new ReadRequest({ nodesToRead, timestampsToReturn: TimestampsToReturn.Both });
    const { results } = await ask('reading values', request);
    return counted(results, part.length, 'reading values');
  });
}

export function browse(ask: Ask, sizes: OperationSizes, nodeIds: readonly string[]): Promise<Browsed[]> {
  return sizes.inParts('nodesPerBrowse', nodeIds, async (part) => {
    const found: Browsed[] = [];
    const nodesToBrowse = part.map((nodeId) => ({
      nodeId: coerceNodeId(nodeId),
      browseDirection: 0,
      referenceTypeId: coerceNodeId(hierarchicalReferences),
      includeSubtypes: true,
      nodeClassMask: NodeClass.Object | NodeClass.Variable,
      // Reference type, is forward, node class, browse name.
      resultMask: 0b1111,
    }));
    const request = new BrowseRequest({ nodesToBrowse, requestedMaxReferencesPerNode: 1000 });
    const { results } = await ask('browsing', request);
    for (const result of counted(results, part.length, 'browsing')) found.push(await browseRest(ask, result));
    return found;
  });
}

async function browseRest(ask: Ask, first: LibraryResponse): Promise<Browsed> {
  const references = [...(first.references ?? [])];
  let { continuationPoint } = first;
  let isCut = false;
  for (let round = 0; hasBytes(continuationPoint); round++) {
    isCut = references.length >= maxReferences || round >= maxBrowseRounds;
    const request = new BrowseNextRequest({
      releaseContinuationPoints: isCut,
      continuationPoints: [continuationPoint],
    });
    const { results } = await ask('browsing on', request);
    if (isCut) break;
    const next = results?.[0];
    // A point that is refused leaves out the rest.
    isCut = (next?.statusCode?.value ?? 1) !== 0;
    references.push(...(next?.references ?? []));
    continuationPoint = next?.continuationPoint;
  }
  return { status: first.statusCode, references: references.map(toReference), isCut };
}

/** From the Objects folder on; a node id, or why there is none. */
export function translate(
  ask: Ask,
  sizes: OperationSizes,
  paths: readonly string[],
): Promise<(string | WireStatus)[]> {
  return sizes.inParts('nodesPerTranslate', paths, async (part) => {
    const found: (string | WireStatus)[] = [];
    const browsePaths = part.map((path) => ({
      startingNode: coerceNodeId(objectsFolder),
      relativePath: { elements: pathElements(path) },
    }));
    const request = new TranslateBrowsePathsToNodeIdsRequest({ browsePaths });
    const { results } = await ask('finding browse paths', request);
    for (const { statusCode, targets } of counted(results, part.length, 'finding browse paths')) {
      const target = targets?.find((each: LibraryResponse) => each.remainingPathIndex === 0xffff_ffff);
      found.push(target ? String(target.targetId) : statusCode.value === 0 ? noMatch : statusCode);
    }
    return found;
  });
}
