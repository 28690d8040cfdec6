// What the server's history can be made to do wrong, laid over node-opcua's own answers.
import {
  type HistoryReadResult,
  HistoryReadResult as Result,
  type StatusCode,
  StatusCodes,
} from 'node-opcua';
import type { OpcuaFaults } from './opcua-faults.ts';
import type { OpcuaServerHandle } from './opcua-server.ts';

type Answer = (error: Error | null, result?: HistoryReadResult) => void;
type HistoryRead = (
  context: unknown,
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
        const refuse = (statusCode: StatusCode) =>
          answer(null, new Result({ statusCode } as ConstructorParameters<typeof Result>[0]));
        if (fault === 'unsupported') return refuse(StatusCodes.BadHistoryOperationUnsupported);
        if (fault === 'vanishing-points' && continuation.continuationPoint)
          return refuse(StatusCodes.BadContinuationPointInvalid);
        return real.call(variable, context, details, range, encoding, continuation, (error, result) => {
          if (result && fault === 'no-points' && result.continuationPoint?.length)
            return refuse(StatusCodes.BadNoContinuationPoints);
          if (result && fault === 'truncated') result.continuationPoint = null as unknown as Buffer;
          answer(error, result);
        });
      };
    }
  }
}
