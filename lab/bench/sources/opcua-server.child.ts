// The OPC UA server that both contenders read: node-opcua's own. Sets all of its variables at each tick, as fast as
// it is told or can, and remembers some values of others.
import { join } from 'node:path';
import { DataType, nodesets, OPCUACertificateManager, OPCUAServer, StatusCodes, Variant } from 'node-opcua';
import { childSettings, mark } from '../harness/child.ts';

export interface OpcuaServerSettings {
  readonly folder: string;
  /** Variables `ns=1;s=live.0` and so on. */
  readonly tags: number;
  readonly tickMs: number;
  /** Variables `ns=1;s=kept.0` and so on, each with so many values, a second apart, the last one a minute ago. */
  readonly historyNodes: number;
  readonly historyValues: number;
}

const { folder, tags, tickMs, historyNodes, historyValues } = childSettings<OpcuaServerSettings>();
const server = new OPCUAServer({
  port: 0,
  host: '127.0.0.1',
  nodeset_filename: [nodesets.standard],
  serverCertificateManager: new OPCUACertificateManager({
    rootFolder: join(folder, 'pki'),
    disableFileWatchers: true,
  }),
  serverCapabilities: { minSupportedSampleRate: 0 },
} as ConstructorParameters<typeof OPCUAServer>[0]);
await server.initialize();
const { addressSpace } = server.engine;
const namespace = addressSpace!.getOwnNamespace();
const add = (browseName: string) =>
  namespace.addVariable({
    browseName,
    nodeId: `s=${browseName}`,
    organizedBy: 'ObjectsFolder',
    dataType: DataType.Double,
    minimumSamplingInterval: 0,
    accessLevel: 'CurrentRead | HistoryRead',
    userAccessLevel: 'CurrentRead | HistoryRead',
  });
const live = Array.from({ length: tags }, (_, at) => add(`live.${at}`));
const kept = Array.from({ length: historyNodes }, (_, at) => add(`kept.${at}`));
const from = Date.now() - 60_000 - historyValues * 1000;
for (const variable of kept) {
  addressSpace!.installHistoricalDataNode(variable, { maxOnlineValues: historyValues + 1 });
  for (let at = 0; at < historyValues; at++) {
    const value = new Variant({ dataType: DataType.Double, value: at * 0.25 });
    variable.setValueFromSource(value, StatusCodes.Good, new Date(from + at * 1000));
  }
}
await server.start();
let round = 0;
setInterval(() => {
  round += 1;
  const now = new Date();
  for (const [at, variable] of live.entries())
    variable.setValueFromSource(
      new Variant({ dataType: DataType.Double, value: round + at }),
      StatusCodes.Good,
      now,
    );
}, tickMs);
mark('ready', {
  port: server.endpoints[0]!.port,
  historyStart: from,
  historyEnd: from + historyValues * 1000,
});
