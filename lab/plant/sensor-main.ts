// The sensor module as a process. Prints one JSON line once it measures; SIGTERM stops it. Its connection string comes
// from HOLDFAST_SENSOR_CONNECTION_STRING, so that no key stands in a list of processes.
import { Command } from 'commander';
import { untilSignal, wholeNumber } from './process-frame.ts';
import { startSensor } from './sensor-module.ts';

const options = new Command('sensor')
  .description('A simulated IoT Edge module that measures and hands its readings to another')
  .requiredOption('--ca <file>', 'authority of the hub, PEM')
  .option('--seed <n>', 'what all values follow from', wholeNumber, 1)
  .option('--scan-ms <n>', 'time between messages', wholeNumber, 400)
  .parse()
  .opts();

await untilSignal(
  startSensor({
    connectionString: process.env.HOLDFAST_SENSOR_CONNECTION_STRING ?? '',
    caFile: options.ca,
    seed: options.seed,
    scanMs: options.scanMs,
  }),
);
