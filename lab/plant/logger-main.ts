// The serial logger as a process. Prints one JSON line once it is ready; SIGTERM stops it.
import { Command } from 'commander';
import { startLogger } from './logger.ts';
import { untilSignal, wholeNumber } from './process-frame.ts';

const { talk, ...options } = new Command('logger')
  .description('A simulated serial logger that keeps a ground truth')
  .option('--seed <n>', 'what all values follow from', wholeNumber, 1)
  .option('--host <address>', 'where its raw TCP port listens', '127.0.0.1')
  .option('--port <n>', 'raw TCP port, 0 for a free one', wholeNumber, 0)
  .option('--path <path>', 'a serial port besides (a pseudo terminal, by socat)')
  .option('--control-port <n>', 'HTTP control port on loopback, 0 for a free one', wholeNumber, 0)
  .option('--scan-ms <n>', 'time between records', wholeNumber, 200)
  .option('--capacity <n>', 'records that the memory holds', wholeNumber, 3000)
  .option('--prefill <n>', 'records made before the start', wholeNumber, 0)
  .option('--last-number <n>', 'the number after which the counter starts again', wholeNumber, 999_999)
  .option('--baud <n>', 'speed of the line, 0 for as fast as it goes', wholeNumber, 0)
  .option('--no-talk', 'answers only')
  .parse()
  .opts();

await untilSignal(startLogger({ ...options, talks: talk }));
