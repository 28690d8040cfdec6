// Converts requests and answers between our types and those of the driver library. Pure.
import {
  AttributeIds,
  coerceNodeId,
  DataChangeFilter,
  DataChangeTrigger,
  DeadbandType,
  HistoryReadRequest,
  NodeClass,
  TimestampsToReturn,
} from './library.ts';
import { serviceFailed } from './opcua-errors.ts';
import type { HistoryNode, ItemRequest, Times, WireValue } from './opcua-session.ts';

// biome-ignore lint/suspicious/noExplicitAny: each service answers with a class of its own.
export type LibraryResponse = any;

/** Sends one request; `what` is for errors. Bounded in time. */
export type Ask = (what: string, request: object, limitMs?: number) => Promise<LibraryResponse>;

export const hierarchicalReferences = 'i=33';
const hasProperty = 'ns=0;i=46';
export const extensionObject = 22;

export function toItem({ nodeId, handle, samplingMs, queueSize, ...rest }: ItemRequest) {
  return {
    itemToMonitor: { nodeId: coerceNodeId(nodeId), attributeId: AttributeIds.Value },
    monitoringMode: 2,
    requestedParameters: {
      clientHandle: handle,
      samplingInterval: samplingMs,
      queueSize,
      discardOldest: true,
      filter: filterOf(rest),
    },
  };
}

/** None where the default of the specification does: some small servers know no filters. */
export function filterOf({
  trigger,
  deadband,
}: Pick<ItemRequest, 'trigger' | 'deadband'>): DataChangeFilter | null {
  if (trigger === 'timestamp')
    return new DataChangeFilter({ trigger: DataChangeTrigger.StatusValueTimestamp });
  if (deadband === undefined) return null;
  return new DataChangeFilter({
    trigger: DataChangeTrigger.StatusValue,
    deadbandType: deadband.kind === 'percent' ? DeadbandType.Percent : DeadbandType.Absolute,
    deadbandValue: deadband.value,
  });
}

/** Without an allocation: most answers have none, and thousands of values. */
export function hasStructure(values: readonly WireValue[]): boolean {
  for (const { value } of values) if (value?.dataType === extensionObject) return true;
  return false;
}

const timestamps = {
  both: TimestampsToReturn.Both,
  source: TimestampsToReturn.Source,
  server: TimestampsToReturn.Server,
} as const;

export function historyRequest(
  nodes: readonly HistoryNode[],
  times: Times,
  fields: object,
): HistoryReadRequest {
  return new HistoryReadRequest({
    timestampsToReturn: timestamps[times],
    releaseContinuationPoints: false,
    nodesToRead: nodes.map(({ nodeId, continuation }) => ({
      nodeId: coerceNodeId(nodeId),
      ...(continuation && { continuationPoint: Buffer.from(continuation) }),
    })),
    ...fields,
  });
}

export function pathElements(path: string) {
  return path
    .replace(/^\//, '')
    .split('/')
    .map((part) => {
      const [, namespace = '0', name] = /^(?:(\d+):)?(.*)$/s.exec(part)!;
      return {
        referenceTypeId: coerceNodeId(hierarchicalReferences),
        isInverse: false,
        includeSubtypes: true,
        targetName: { namespaceIndex: Number(namespace), name: name ?? '' },
      };
    });
}

export function toReference({ nodeId, browseName, nodeClass, referenceTypeId }: LibraryResponse) {
  return {
    nodeId: String(nodeId),
    browseName: `${browseName?.namespaceIndex ?? 0}:${browseName?.name ?? ''}`,
    isVariable: nodeClass === NodeClass.Variable,
    isObject: nodeClass === NodeClass.Object,
    isProperty: String(referenceTypeId) === hasProperty,
  };
}

/** An answer that leaves out, or adds, cannot be told apart from one that mixes up. */
export function counted(results: LibraryResponse, count: number, what: string): LibraryResponse {
  if (Array.isArray(results) && results.length === count) return results;
  throw serviceFailed(what, 'BadUnexpectedError');
}

export function numberIn(value: WireValue | undefined): number {
  const found = value?.value?.value;
  return typeof found === 'number' && found > 0 ? found : 0;
}

export function hasBytes(bytes: unknown): bytes is Buffer {
  return bytes instanceof Uint8Array && bytes.length > 0;
}

/** OPC 10000-6, 5.2.2.5: a date before 1601-01-02 stands for none. */
export function timeOf(date: Date | null | undefined): number | undefined {
  const time = date?.getTime();
  return time === undefined || Number.isNaN(time) || time < -11_644_387_200_000 ? undefined : time;
}
