// A limit of operations that the server does not state, laid over node-opcua's own handling of requests.
import { type OPCUAServer, ServiceFault, StatusCodes } from 'node-opcua';
import type { OpcuaFaults } from './opcua-faults.ts';

/** The list in each request that has one. */
const lists = {
  ReadRequest: 'nodesToRead',
  BrowseRequest: 'nodesToBrowse',
  TranslateBrowsePathsToNodeIdsRequest: 'browsePaths',
  CreateMonitoredItemsRequest: 'itemsToCreate',
  HistoryReadRequest: 'nodesToRead',
} as const;

interface Message {
  readonly request: Readonly<Record<string, readonly unknown[] | null>>;
}
interface Channel {
  send_response(kind: 'MSG', response: ServiceFault, message: Message): unknown;
}
type Handler = (message: Message, channel: Channel) => unknown;

export function limitOperations(server: OPCUAServer, faults: () => OpcuaFaults): void {
  const handlers = server as unknown as Record<string, Handler>;
  for (const [request, list] of Object.entries(lists)) {
    const name = `_on_${request}`;
    const real = handlers[name]!.bind(server);
    handlers[name] = (message, channel) => {
      const most = faults().operations ?? Number.POSITIVE_INFINITY;
      if ((message.request[list]?.length ?? 0) <= most) return real(message, channel);
      const responseHeader = {
        serviceResult: StatusCodes[faults().operationsStatus ?? 'BadTooManyOperations'],
      };
      return channel.send_response('MSG', new ServiceFault({ responseHeader }), message);
    };
  }
}
