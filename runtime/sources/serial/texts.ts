// What people read of this adapter: its metrics, its breaks in observation, a configuration to begin with.
import { type AdapterTexts, sourceCounter as counter } from '../adapter-texts.ts';

export const serialTexts: AdapterTexts = {
  metrics: {
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
  },
  breaks: {
    'may-share-its-time': 'what was missed may have the same time',
    'repeated-stamp': 'two records have one time',
    'unbelievable-time': 'a record had a time that was not believed',
    'serial-noise': 'bytes came outside of any message',
    'serial-checksum': 'a message had a wrong check sum',
    'serial-too-long': 'more bytes came than a message may have',
    'serial-cut': 'a message was begun and went no further',
    'serial-unmatched': 'a message had none of the tags',
    'serial-unplaced': 'a message had no record number or time',
    'serial-joined': 'two messages ran into one',
    'serial-dump-tail': 'a record may be one of an earlier dump',
    'serial-dump-doubt': 'a record may have been taken for one of a dump',
    'serial-timeout': 'no answer came in time',
    'serial-garbage': 'what came was no message',
    'serial-refused': 'the instrument refused',
    'serial-silent': 'nothing came',
    'serial-connection-lost': 'the line was lost',
  },
  examples: {
    serial: `  - name: scale            # also the stream's id in the cloud
    type: serial
    path: /dev/serial/by-id/usb-ADAPTER-if00-port0
    baudRate: 9600
    poll: {command: P<CR>, everyMs: 1s}    # leave it out where the instrument talks by itself
    fields: {pattern: '^(?<weight>[-+ .0-9]+) kg'}
    tags:
      - {name: weight}
`,
  },
};
