// The plant as a process. Prints one JSON line once it is ready; SIGTERM stops it.
import { Command } from 'commander';
import { startPlant } from './plant.ts';
import { untilSignal, wholeNumber } from './process-frame.ts';

const options = new Command('plant')
  .description('Simulated Modbus TCP equipment that keeps a ground truth')
  .option('--seed <n>', 'what all values follow from', wholeNumber, 1)
  .option('--host <address>', 'where Modbus TCP listens', '127.0.0.1')
  .option('--port <n>', 'Modbus TCP port, 0 for a free one', wholeNumber, 0)
  .option('--control-port <n>', 'HTTP control port on loopback, 0 for a free one', wholeNumber, 0)
  .option('--scan-ms <n>', 'time between samples', wholeNumber, 200)
  .option('--history-s <n>', 'how far the event logs reach back', wholeNumber, 600)
  .option('--prefill-s <n>', 'samples made before the start', wholeNumber, 0)
  .option('--max-connections <n>', 'Modbus TCP connections served at once', wholeNumber, 64)
  .option('--serial-port <n>', 'adds units on a serial bus: Modbus RTU over TCP on this port', wholeNumber)
  .option('--serial-path <path>', 'the same as a serial port (a pseudo terminal, by socat)')
  .option('--baud <n>', 'speed of the serial bus, 0 for as fast as it goes', wholeNumber, 0)
  .parse()
  .opts();

const { serialPort, serialPath, baud, ...rest } = options;
const hasSerial = serialPort !== undefined || serialPath !== undefined;
const serial = { port: serialPort ?? 0, path: serialPath, baud };
await untilSignal(startPlant({ ...rest, ...(hasSerial ? { serial } : {}) }));
