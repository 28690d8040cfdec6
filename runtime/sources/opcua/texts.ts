// What people read of this adapter: its metrics, its breaks in observation, a configuration to begin with.
import { type AdapterTexts, sourceCounter as counter } from '../adapter-texts.ts';

export const opcuaTexts: AdapterTexts = {
  metrics: {
    holdfast_opcua_refused_tags_total: counter('Times that the server refused a tag.'),
    holdfast_opcua_narrow_queues: {
      type: 'gauge',
      help: 'Monitored items whose queue the server made smaller than was asked for.',
      labels: ['source'],
    },
    holdfast_opcua_lost_messages_total: counter(
      'Notifications that were lost between server and module: breaks.',
    ),
    holdfast_opcua_clock_steps_total: counter('Times that the clock of the server was set: breaks.'),
    holdfast_opcua_odd_values_total: counter('Values that cannot be taken as they came.', ['what']),
    holdfast_opcua_history_failures_total: counter("Times that the server's history could not be read."),
  },
  breaks: {
    'server-clock-went-back': "the server's clock was set back",
    'server-clock-jumped': "the server's clock was set ahead",
    'queue-overflow': 'values were lost in a queue of the server',
    'messages-lost': 'messages of the server are missing',
    'too-many-values': 'more values came than can be put in order',
    'not-watched': 'the server had not begun to watch',
    'not-taken': 'there was no room for what came',
    refused: 'there was no room for what came',
    'history-to-come': 'what the server remembers is still to be fetched',
    'opcua-connection-lost': 'the connection was lost',
    'opcua-session-lost': 'the server ended the session',
    'opcua-subscription-lost': 'the server ended the subscription',
    'opcua-silent': 'the server said nothing any more',
  },
  examples: {
    opcua: `  - name: oven             # also the stream's id in the cloud
    type: opcua
    endpoint: opc.tcp://10.0.0.7:4840
    tags:
      # \`holdfast browse FILE oven\` lists what there is.
      - {name: setpoint, node: "ns=2;s=Oven.SetPoint"}
    #identity: {kind: user, name: reader, passwordFile: /data/secrets/opcua}
    #history: {}           # the server's own history answers for what was missed
`,
  },
};
