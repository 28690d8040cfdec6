// The plant's OPC UA server as a process. Prints one JSON line once it is ready; SIGTERM stops it.
import { Command } from 'commander';
import { startOpcuaPlant } from './opcua-plant.ts';
import { untilSignal, wholeNumber } from './process-frame.ts';

const options = new Command('opcua-plant')
  .description('A simulated OPC UA server that keeps a ground truth')
  .option('--seed <n>', 'what all values follow from', wholeNumber, 1)
  .option('--host <address>', 'where it listens', '127.0.0.1')
  .option('--port <n>', 'port, 0 for a free one', wholeNumber, 0)
  .option('--control-port <n>', 'HTTP control port on loopback, 0 for a free one', wholeNumber, 0)
  .option('--scan-ms <n>', 'time between samples', wholeNumber, 200)
  .option('--history-s <n>', 'how far history reaches back', wholeNumber, 600)
  .option('--prefill-s <n>', 'samples made before the start', wholeNumber, 0)
  .option('--folder <path>', 'keeps certificates; a passing one by default')
  .option('--strict-clients', 'refuse clients whose certificate nobody has trusted')
  .parse()
  .opts();

const { strictClients, ...rest } = options;
await untilSignal(startOpcuaPlant({ ...rest, acceptClients: strictClients !== true }));
