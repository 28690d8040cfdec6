// Faults of the server's history, applied to node-opcua's own answers.
import {
  type HistoryReadResult,
  HistoryReadResult as Result,
  type StatusCode,
  StatusCodes,
} from 'node-opcua';
import type { OpcuaFaults } from './opcua-faults.ts';
import type { OpcuaServerHandle } from './opcua-server.ts';

type Answer = (error: Error | null, result?: HistoryReadResult) => void;
interface Points {
  clearContinuationPoint(point: Buffer): void;
}

type HistoryRead = (
  context: { readonly session: { readonly continuationPointManager: Points } },
  details: unknown,
  indexRange: unknown,
  encoding: unknown,
  continuation: { continuationPoint?: Buffer | null },
  answer: Answer,
) => unknown;

export function spoilHistory(handle: OpcuaServerHandle, faults: () => OpcuaFaults): void {
  for (const variables of handle.variables.values()) {
    for (const variable of variables.values()) {
      const node = variable as unknown as { historyRead?: unknown; _historyRead?: HistoryRead };
      const real = node._historyRead;
      if (!real) continue;
      node._historyRead = (context, details, range, encoding, continuation, answer) => {
        const fault = faults().history;
        const { continuationPointManager: points } = context.session;
        const refuse = (statusCode: StatusCode, point?: Buffer | null) => {
          if (point) points.clearContinuationPoint(point);
          answer(null, new Result({ statusCode }));
        };
        if (fault === 'unsupported') return refuse(StatusCodes.BadHistoryOperationUnsupported);
        if (fault === 'vanishing-points' && continuation.continuationPoint)
          return refuse(StatusCodes.BadContinuationPointInvalid, continuation.continuationPoint);
        return real.call(variable, context, details, range, encoding, continuation, (error, result) => {
          const point = result?.continuationPoint;
          if (!result || !point?.length || (fault !== 'no-points' && fault !== 'truncated'))
            return answer(error, result);
          if (fault === 'no-points') return refuse(StatusCodes.BadNoContinuationPoints, point);
          points.clearContinuationPoint(point);
          result.continuationPoint = null as unknown as Buffer;
          answer(null, result);
        });
      };
    }
  }
}
