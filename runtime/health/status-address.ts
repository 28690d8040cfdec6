// Where status and metrics are served. Under IoT Edge the port of edgeHub's and edgeAgent's own metrics, on the module's address
// in IoT Edge's network, so that the metrics collector finds them; elsewhere nowhere, unless a port is set.

export interface StatusAddress {
  readonly host: string;
  readonly port: number | undefined;
}

const edgePort = 9600;

export function statusAddress(
  {
    statusPort,
    statusHost,
  }: { readonly statusPort?: number | 'off' | undefined; readonly statusHost?: string | undefined },
  isIotEdge: boolean,
): StatusAddress {
  const port = statusPort ?? (isIotEdge ? edgePort : 'off');
  return {
    host: statusHost ?? (isIotEdge ? '0.0.0.0' : '127.0.0.1'),
    port: port === 'off' ? undefined : port,
  };
}
