// The OPC UA server of the plant: node-opcua's own, with the plant's samples as historising variables.
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import {
  type AddressSpace,
  DataType,
  MessageSecurityMode,
  nodesets,
  OPCUACertificateManager,
  OPCUAServer,
  SecurityPolicy,
  type ServerSession,
  type StatusCode,
  StatusCodes,
  setDebugLogger,
  setErrorLogger,
  setWarningLogger,
  type UAObject,
  type UAVariable,
  Variant,
} from 'node-opcua';
import { sampleAt, type TagValues, tagValues } from './sample.ts';

export interface OpcuaUnitOptions {
  readonly id: number;
  readonly name: string;
  readonly hasHistory: boolean;
}

export interface OpcuaServerOptions {
  readonly host: string;
  readonly port: number;
  readonly seed: number;
  /** Keeps the server's certificate, and those of clients. */
  readonly folder: string;
  readonly units: readonly OpcuaUnitOptions[];
  /** Samples that history holds of each variable. */
  readonly capacity: number;
  /** Clients whose certificate nobody has trusted may connect. */
  readonly acceptClients: boolean;
  readonly user: { readonly name: string; readonly password: string };
  /** What the server states as its limits; 0 for none. */
  readonly limits: {
    readonly nodesPerRead: number;
    readonly itemsPerCall: number;
    readonly nodesPerHistoryRead: number;
  };
}

export interface OpcuaServerHandle {
  readonly port: number;
  readonly server: OPCUAServer;
  readonly variables: ReadonlyMap<number, ReadonlyMap<keyof TagValues, UAVariable>>;
  /** Makes sample `number` the current value of a unit. */
  show(unit: number, number: number, timestampMs: number, status?: string): void;
  sessions(): readonly ServerSession[];
  stop(): Promise<void>;
}

// The plant's standard output is one line that programs read.
for (const mute of [setDebugLogger, setErrorLogger, setWarningLogger]) mute(() => {});

export const namespaceUri = 'urn:holdfast:plant';

const tagTypes: Readonly<Record<keyof TagValues, DataType>> = {
  temperature: DataType.Float,
  pressure: DataType.Float,
  flow: DataType.UInt32,
  energy: DataType.Double,
  status: DataType.UInt16,
  running: DataType.Boolean,
  alarm: DataType.Boolean,
  door: DataType.Boolean,
  level: DataType.Double,
  label: DataType.String,
};

export async function startOpcuaServer(options: OpcuaServerOptions): Promise<OpcuaServerHandle> {
  const { folder, units, user, limits } = options;
  await mkdir(folder, { recursive: true });
  const certificates = (name: string) =>
    new OPCUACertificateManager({
      rootFolder: join(folder, name),
      automaticallyAcceptUnknownCertificate: options.acceptClients,
      disableFileWatchers: true,
    });
  const server = new OPCUAServer({
    port: options.port,
    host: options.host,
    hostname: hostname(),
    resourcePath: '/plant',
    nodeset_filename: [nodesets.standard],
    serverCertificateManager: certificates('pki'),
    userCertificateManager: certificates('users'),
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
    securityPolicies: [
      SecurityPolicy.None,
      SecurityPolicy.Basic256Sha256,
      SecurityPolicy.Aes128_Sha256_RsaOaep,
      SecurityPolicy.Aes256_Sha256_RsaPss,
    ],
    allowAnonymous: true,
    userManager: {
      isValidUser: (name: string, password: string) => name === user.name && password === user.password,
    },
    maxConnectionsPerEndpoint: 64,
    serverCapabilities: {
      maxSessions: 64,
      // Otherwise changes within 100 ms are folded into one, and the truth would have more than anyone was shown.
      minSupportedSampleRate: 0,
      operationLimits: {
        maxNodesPerRead: limits.nodesPerRead,
        maxMonitoredItemsPerCall: limits.itemsPerCall,
        maxNodesPerHistoryReadData: limits.nodesPerHistoryRead,
      },
    },
    serverInfo: {
      applicationUri: namespaceUri,
      productUri: namespaceUri,
      applicationName: { text: 'Plant' },
    },
  } as ConstructorParameters<typeof OPCUAServer>[0]);
  await server.initialize();
  const { addressSpace } = server.engine;
  if (!addressSpace) throw new Error('the server has no address space');
  const variables = build(addressSpace, units, options.capacity);
  await server.start();
  const port = server.endpoints[0]!.port;
  return {
    port,
    server,
    variables,
    show(unit, number, timestampMs, status) {
      const values = tagValues(sampleAt(options.seed, unit, number));
      const code = status === undefined ? StatusCodes.Good : statusOf(status);
      const time = new Date(timestampMs);
      for (const [tag, variable] of variables.get(unit) ?? []) {
        const variant = new Variant({ dataType: tagTypes[tag], value: values[tag] });
        variable.setValueFromSource(variant, code, time);
      }
    },
    sessions: () =>
      Object.values((server.engine as unknown as { _sessions: Record<string, ServerSession> })._sessions),
    stop: () => server.shutdown(0),
  };
}

function statusOf(name: string): StatusCode {
  return (StatusCodes as unknown as Record<string, StatusCode>)[name] ?? StatusCodes.Bad;
}

/** Objects/1:Plant/1:<unit>/1:<tag>, and beside them set points that can be written, of all kinds of types. */
function build(addressSpace: AddressSpace, units: readonly OpcuaUnitOptions[], capacity: number) {
  const namespace = addressSpace.registerNamespace(namespaceUri);
  const plant = namespace.addFolder('ObjectsFolder', { browseName: 'Plant', nodeId: 's=Plant' });
  const all = new Map<number, ReadonlyMap<keyof TagValues, UAVariable>>();
  for (const { id, name, hasHistory } of units) {
    const unit = namespace.addObject({ browseName: name, nodeId: `s=${name}`, organizedBy: plant });
    const tags = Object.entries(tagTypes).map(([tag, dataType]) => {
      const variable = namespace.addVariable({
        browseName: tag,
        nodeId: `s=${name}.${tag}`,
        componentOf: unit,
        dataType,
        minimumSamplingInterval: 0,
        accessLevel: hasHistory ? 'CurrentRead | HistoryRead' : 'CurrentRead',
        userAccessLevel: hasHistory ? 'CurrentRead | HistoryRead' : 'CurrentRead',
      });
      if (hasHistory) addressSpace.installHistoricalDataNode(variable, { maxOnlineValues: capacity });
      return [tag as keyof TagValues, variable] as const;
    });
    all.set(id, new Map(tags));
  }
  addSetPoints(addressSpace, plant);
  return all;
}

function addSetPoints(addressSpace: AddressSpace, plant: UAObject): void {
  const namespace = addressSpace.getNamespace(namespaceUri);
  const folder = namespace.addObject({ browseName: 'setpoints', nodeId: 's=setpoints', organizedBy: plant });
  const add = (name: string, value: object) => {
    const variable = namespace.addVariable({
      browseName: name,
      nodeId: `s=setpoints.${name}`,
      componentOf: folder,
      dataType: (value as { dataType: DataType }).dataType,
      ...((value as { arrayType?: number }).arrayType ? { valueRank: -2 } : {}),
      minimumSamplingInterval: 0,
      accessLevel: 'CurrentRead | CurrentWrite',
      userAccessLevel: 'CurrentRead | CurrentWrite',
    });
    variable.setValueFromSource(new Variant(value));
  };
  add('speed', { dataType: DataType.Double, value: 12.5 });
  add('count', { dataType: DataType.Int16, value: 7 });
  add('total', { dataType: DataType.Int64, arrayType: 0, value: [0, 5] });
  add('enabled', { dataType: DataType.Boolean, value: true });
  add('recipe', { dataType: DataType.String, value: 'A' });
  add('limits', { dataType: DataType.Double, arrayType: 1, value: new Float64Array([1, 2, 3]) });
}
