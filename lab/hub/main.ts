// The hub as a process. Prints one JSON line once it is ready; logs go to stderr; SIGTERM stops it.
import { Command } from 'commander';
import { createProcessLog } from '../../kernel/process-log.ts';
import { seededRandom, systemRandom } from '../../kernel/random.ts';
import { startHub } from './hub.ts';

const options = new Command('hub')
  .description('Stands in for Azure IoT Hub and the IoT Edge workload API, on loopback.')
  .option('--data <folder>', 'keeps certificates and keys; temporary without it')
  .option('--device <id>', 'the device whose connection string is printed', 'edge-1')
  .option('--module <id>', 'the module whose connection string is printed', 'holdfast')
  .option('--other-modules <ids...>', 'more modules of the device, whose connection strings are printed', [])
  .option('--amqps-port <port>', 'devices and modules', Number, 0)
  .option('--https-port <port>', 'REST and AMQP over WebSocket', Number, 0)
  .option('--event-hub-port <port>', 'consumers', Number, 0)
  .option('--control-port <port>', 'faults and state', Number, 0)
  .option('--partitions <n>', 'of the Event Hub', Number, 4)
  .option('--max-events <n>', 'held in memory', Number, 200_000)
  .option('--strict-message-ids', 'refuse message ids that break the documented rule', false)
  .option('--seed <n>', 'for faults that have a probability', Number)
  .option('--log-level <level>', 'debug, info, warn, error', 'info')
  .parse()
  .opts();

const hub = await startHub({
  ...(options.data === undefined ? {} : { dataFolder: options.data }),
  amqpsPort: options.amqpsPort,
  httpsPort: options.httpsPort,
  eventHubPort: options.eventHubPort,
  controlPort: options.controlPort,
  partitions: options.partitions,
  retention: { maxEvents: options.maxEvents },
  strictMessageIds: options.strictMessageIds,
  random: options.seed === undefined ? systemRandom : seededRandom(options.seed),
  log: createProcessLog(options.logLevel, { app: 'hub' }),
});

const ready = {
  ready: true,
  amqpsPort: hub.amqpsPort,
  httpsPort: hub.httpsPort,
  eventHubPort: hub.eventHubPort,
  controlPort: hub.controlPort,
  caFile: hub.caFile,
  workloadSocket: hub.workloadSocket,
  deviceConnectionString: hub.deviceConnectionString(options.device, options.module),
  otherModules: Object.fromEntries(
    options.otherModules.map((id: string) => [id, hub.deviceConnectionString(options.device, id)]),
  ),
  serviceConnectionString: hub.serviceConnectionString,
  eventHubConnectionString: hub.eventHubConnectionString,
  edgeEnvironment: hub.edgeEnvironment(options.device, options.module),
};
process.stdout.write(`${JSON.stringify(ready)}\n`);

const stop = () => {
  hub.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
