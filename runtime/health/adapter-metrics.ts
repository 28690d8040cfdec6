// The metrics that adapters count of their own equipment.
import type { MetricCatalogue } from '../../kernel/prometheus.ts';

const labels = ['source'];
const counter = (help: string, more: readonly string[] = []) =>
  ({ type: 'counter', help, labels: [...labels, ...more] }) as const;

export const adapterMetrics = {
  holdfast_modbus_poll_lateness_seconds: {
    type: 'gauge',
    help: 'How much later than due the last poll was sent: the line is busy, or equipment slow.',
    labels,
  },
  holdfast_modbus_missed_polls_total: counter('Polls left out because the one before took too long.'),
  holdfast_modbus_failed_polls_total: counter('Polls that failed.'),
  holdfast_modbus_refused_tags_total: counter('Times that the unit refused a tag.'),
  holdfast_modbus_repeated_stamps_total: counter('Samples whose time stamp had been there before.'),
  holdfast_modbus_doubted_numbers_total: counter('Record numbers that were not believed at once.'),
  holdfast_serial_missed_polls_total: counter('Polls left out because the one before took too long.'),
  holdfast_serial_failed_polls_total: counter('Polls that failed, for whatever reason.'),
  holdfast_serial_timeouts_total: counter('Polls without an answer in time.'),
  holdfast_serial_garbled_answers_total: counter('Polls whose answer could not be read.'),
  holdfast_serial_refusals_total: counter('Times that the instrument refused.'),
  holdfast_serial_mixed_samples_total: counter('Polls whose answers belong to different samples.'),
  holdfast_serial_out_of_step_total: counter('Polls where it was unclear which request was answered.'),
  holdfast_serial_other_failures_total: counter('Polls that failed for another reason.'),
  holdfast_serial_late_answers_total: counter('Answers that came after their time.'),
  holdfast_serial_records_total: counter('Records read.'),
  holdfast_serial_damaged_messages_total: counter('Messages of which a part cannot be read.'),
  holdfast_serial_other_messages_total: counter('Messages that match no pattern.'),
  holdfast_serial_bad_checksums_total: counter('Messages whose check sum is wrong.'),
  holdfast_serial_garbage_bytes_total: counter('Bytes that belong to no message.'),
  holdfast_serial_dump_bytes_total: counter('Bytes of memory that were dumped.'),
  holdfast_serial_counter_resets_total: counter("Times that the instrument's record numbers began anew."),
  holdfast_serial_unbelievable_numbers_total: counter('Record numbers that were not believed.'),
  holdfast_serial_unbelievable_times_total: counter('Time stamps that were not believed.'),
  holdfast_serial_repeated_stamps_total: counter('Samples whose time stamp had been there before.'),
  holdfast_opcua_refused_tags_total: counter('Times that the server refused a tag.'),
  holdfast_opcua_narrow_queues: {
    type: 'gauge',
    help: 'Monitored items whose queue the server made smaller than was asked for.',
    labels,
  },
  holdfast_opcua_lost_messages_total: counter(
    'Notifications that were lost between server and module: breaks.',
  ),
  holdfast_opcua_clock_steps_total: counter('Times that the clock of the server was set: breaks.'),
  holdfast_opcua_odd_values_total: counter('Values that cannot be taken as they came.', ['what']),
  holdfast_opcua_history_failures_total: counter("Times that the server's history could not be read."),
  holdfast_module_input_repeated_total: counter('Messages that had been taken before.'),
  holdfast_module_input_given_back_total: counter('Messages given back to the hub, which sends them again.'),
  holdfast_module_input_without_number_total: counter(
    'Messages without the record number that is configured.',
  ),
  holdfast_module_input_refused_total: counter('Messages that cannot be read.', ['reason']),
  holdfast_inputs_given_back_total: {
    type: 'counter',
    help: 'Messages of any input given back to the hub.',
    labels: ['reason'],
  },
} as const satisfies MetricCatalogue;
