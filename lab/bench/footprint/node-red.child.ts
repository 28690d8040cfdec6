// Node-RED, headless, on the same job: its Modbus or OPC UA nodes read, a function counts. Nothing is kept and nothing is sent.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childSettings, mark } from '../harness/child.ts';

export interface NodeRedSiteSettings {
  /** Has `node_modules` with node-red, and the nodes of the job. */
  readonly folder: string;
  readonly job:
    | {
        readonly modbusPort: number;
        readonly devices: number;
        readonly registers: number;
        readonly tagsEach: number;
      }
    | { readonly endpoint: string; readonly nodes: readonly string[] };
}

type Node = Readonly<Record<string, unknown>>;

const { folder, job } = childSettings<NodeRedSiteSettings>();
const userDir = mkdtempSync(join(tmpdir(), 'holdfast-node-red-'));
const flows = [{ id: 'tab', type: 'tab', label: 'bench' }, ...('endpoint' in job ? opcua(job) : modbus(job))];
writeFileSync(join(userDir, 'flows.json'), JSON.stringify(flows));
// It looks for nodes in the modules of its user's folder.
symlinkSync(join(folder, 'node_modules'), join(userDir, 'node_modules'));
writeFileSync(join(userDir, 'package.json'), readFileSync(join(folder, 'package.json')));
const RED = createRequire(join(folder, 'package.json'))('node-red');
const counted = { readings: 0 };
RED.init(createServer(), {
  ...{ userDir, flowFile: 'flows.json', httpAdminRoot: false, httpNodeRoot: false, disableEditor: true },
  ...{ credentialSecret: false, logging: { console: { level: 'off' } } },
  functionGlobalContext: { counted },
});
await RED.start();
setInterval(() => mark('readings', counted), 1000);
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => {
    rmSync(userDir, { recursive: true, force: true });
    process.exit(0);
  });

function counter(each: number): Node {
  return {
    ...{ id: 'count', type: 'function', z: 'tab', name: 'count', outputs: 0, x: 0, y: 0, wires: [] },
    ...{ initialize: '', finalize: '', libs: [] },
    func: `global.get('counted').readings += ${each}; return null;`,
  };
}

function modbus({ modbusPort, devices, registers, tagsEach }: Extract<typeof job, { modbusPort: number }>) {
  const perDevice = Array.from({ length: devices }, (_, n): readonly Node[] => [
    {
      ...{ id: `client${n}`, type: 'modbus-client', name: '', clienttype: 'tcp' },
      ...{ bufferCommands: true, stateLogEnabled: false, queueLogEnabled: false, failureLogEnabled: false },
      ...{ tcpHost: '127.0.0.1', tcpPort: String(modbusPort), tcpType: 'DEFAULT', unit_id: String(n + 1) },
      ...{ commandDelay: '1', clientTimeout: '1000', reconnectOnTimeout: true, reconnectTimeout: '2000' },
      parallelUnitIdsAllowed: true,
    },
    {
      ...{ id: `read${n}`, type: 'modbus-read', z: 'tab', name: '', topic: '', x: 0, y: 0 },
      ...{ showStatusActivities: false, logIOActivities: false, showErrors: false, showWarnings: false },
      ...{ unitid: String(n + 1), dataType: 'HoldingRegister', adr: '0', quantity: String(registers) },
      ...{ rate: '1', rateUnit: 's', delayOnStart: false, startDelayTime: '', server: `client${n}` },
      ...{ useIOFile: false, ioFile: '', useIOForPayload: false, emptyMsgOnFail: false },
      wires: [['count'], []],
    },
  ]);
  return [...perDevice.flat(), counter(tagsEach)];
}

function opcua({ endpoint, nodes }: Extract<typeof job, { endpoint: string }>): readonly Node[] {
  const items = nodes.map((item, n) => ({
    ...{ id: `item${n}`, type: 'OpcUa-Item', z: 'tab', name: '', x: 0, y: 0 },
    ...{ item, datatype: 'Double', value: '', wires: [['client']] },
  }));
  return [
    {
      id: 'endpoint',
      type: 'OpcUa-Endpoint',
      endpoint,
      secpol: 'None',
      secmode: 'None',
      login: false,
      none: true,
    },
    {
      ...{ id: 'go', type: 'inject', z: 'tab', once: true, onceDelay: 1, repeat: '', crontab: '' },
      ...{ props: [], x: 0, y: 0, wires: [items.map(({ id }) => id)] },
    },
    ...items,
    {
      ...{
        id: 'client',
        type: 'OpcUa-Client',
        z: 'tab',
        name: '',
        endpoint: 'endpoint',
        action: 'subscribe',
      },
      ...{
        deadbandtype: 'a',
        deadbandvalue: 0,
        time: '1',
        timeUnit: 's',
        certificate: 'n',
        localfile: '',
        x: 0,
        y: 0,
      },
      ...{
        localkeyfile: '',
        securitymode: 'None',
        securitypolicy: 'None',
        useTransport: false,
        wires: [['count'], [], []],
      },
    },
    counter(1),
  ];
}
