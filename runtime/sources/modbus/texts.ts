// What people read of this adapter: its metrics, its breaks in observation, a configuration to begin with.
import { type AdapterTexts, sourceCounter as counter } from '../adapter-texts.ts';

const modbusTags = `    tags:
      # Addresses count from 0: what a manual calls holding register 40007 is address 6.
      - {name: temperature, address: 6, type: float32}
      - {name: running, address: 16, type: bit, bit: 0}
      #- {name: level, table: input, address: 3, type: int16, scale: 0.1}
`;

export const modbusTexts: AdapterTexts = {
  metrics: {
    holdfast_modbus_poll_lateness_seconds: {
      type: 'gauge',
      help: 'How much later than due the last poll was sent: the line is busy, or equipment slow.',
      labels: ['source'],
    },
    holdfast_modbus_missed_polls_total: counter('Polls left out because the one before took too long.'),
    holdfast_modbus_failed_polls_total: counter('Polls that failed.'),
    holdfast_modbus_refused_tags_total: counter('Times that the unit refused a tag.'),
    holdfast_modbus_repeated_stamps_total: counter('Samples whose time stamp had been there before.'),
    holdfast_modbus_doubted_numbers_total: counter('Record numbers that were not believed at once.'),
  },
  breaks: {
    'samples-missed': 'samples went by unseen',
    'modbus-timeout': 'no answer came in time',
    'modbus-exception': 'the device answered with an exception',
    'modbus-garbage': 'what came was no answer to what was asked',
    'modbus-out-of-step': 'it is not sure yet which answer belongs to which request',
    'modbus-connection-lost': 'the connection was lost',
    'modbus-connect-failed': 'it could not be connected to',
  },
  examples: {
    'modbus-tcp': `  - name: press            # also the stream's id in the cloud
    type: modbus-tcp
    host: 10.0.0.5
    unit: 1
    pollMs: 1s
${modbusTags}`,
    'modbus-rtu': `  - name: press            # also the stream's id in the cloud
    type: modbus-rtu
    path: /dev/serial/by-id/usb-ADAPTER-if00-port0
    baudRate: 9600
    parity: even           # even, odd or none
    unit: 1
    pollMs: 1s
${modbusTags}`,
  },
};
