// What people read of this adapter: its metrics, its breaks in observation, a configuration to begin with.
import { type AdapterTexts, sourceCounter as counter } from '../adapter-texts.ts';

export const moduleInputTexts: AdapterTexts = {
  metrics: {
    holdfast_module_input_repeated_total: counter('Messages that had been taken before.'),
    holdfast_module_input_given_back_total: counter(
      'Messages given back to the hub, which sends them again.',
    ),
    holdfast_module_input_without_number_total: counter(
      'Messages without the record number that is configured.',
    ),
    holdfast_module_input_refused_total: counter('Messages that cannot be read.', ['reason']),
  },
  breaks: {
    'messages-missed': 'messages of the sender are missing',
    'counter-restarted': "the sender's counter started anew",
    'message-without-number': 'a message had no number',
    'message-gap': 'no message came for longer than the sender may be silent',
  },
  examples: {
    'module-input': `  - name: sensor           # also the stream's id in the cloud
    type: module-input
    input: telemetry       # a route of the deployment leads to it
    time: {path: ts}       # leave it out to take the time of arrival
    tags:
      - {name: temperature, path: values.temperature}
`,
  },
};
