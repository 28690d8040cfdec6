// Explains breaks in observation in words. A break that an error caused has the error's code, which docs/ERRORS.md
// explains; the most common of these are here as well.

export const breakWords: Readonly<Record<string, string>> = {
  'poll-missed':
    'polls were missed: answers took longer than pollMs, or the line or this gateway had no time for them',
  'poll-failed': 'a poll failed',
  'samples-missed': 'samples went by unseen',
  'records-missed': 'records went by unseen',
  'sample-incomplete': 'a part of a sample could not be read',
  'counter-reset': 'the record counter of the equipment started anew',
  'equipment-clock-went-back': "the equipment's clock was set back",
  'equipment-clock-ahead': "the equipment's clock has to come to where something may be missing",
  'may-share-its-time': 'what was missed may have the same time',
  'repeated-stamp': 'two records have one time',
  'unbelievable-time': 'a record had a time that was not believed',
  'server-clock-went-back': "the server's clock was set back",
  'server-clock-jumped': "the server's clock was set ahead",
  'clock-stepped-back': "this gateway's clock was set back",
  'clock-stepped-forward': "this gateway's clock was set ahead",
  'clock-journal-full': 'too many readings wait for a clock that can be trusted',
  'queue-overflow': 'values were lost in a queue of the server',
  'messages-lost': 'messages of the server are missing',
  'too-many-values': 'more values came than can be put in order',
  'not-watched': 'the server had not begun to watch',
  'not-taken': 'there was no room for what came',
  refused: 'there was no room for what came',
  'history-to-come': 'what the server remembers is still to be fetched',
  'serial-noise': 'bytes came outside of any message',
  'serial-checksum': 'a message had a wrong check sum',
  'serial-too-long': 'more bytes came than a message may have',
  'serial-cut': 'a message was begun and went no further',
  'serial-unmatched': 'a message had none of the tags',
  'serial-unplaced': 'a message had no record number or time',
  'serial-joined': 'two messages ran into one',
  'serial-dump-tail': 'a record may be one of an earlier dump',
  'serial-dump-doubt': 'a record may have been taken for one of a dump',
  'messages-missed': 'messages of the sender are missing',
  'counter-restarted': "the sender's counter started anew",
  'message-without-number': 'a message had no number',
  'message-gap': 'no message came for longer than the sender may be silent',
  'time-went-back': "the sender's clock was set back",
  'modbus-timeout': 'no answer came in time',
  'modbus-exception': 'the device answered with an exception',
  'modbus-garbage': 'what came was no answer to what was asked',
  'modbus-out-of-step': 'it is not sure yet which answer belongs to which request',
  'modbus-connection-lost': 'the connection was lost',
  'modbus-connect-failed': 'it could not be connected to',
  'serial-timeout': 'no answer came in time',
  'serial-garbage': 'what came was no message',
  'serial-refused': 'the instrument refused',
  'serial-silent': 'nothing came',
  'serial-connection-lost': 'the line was lost',
  'opcua-connection-lost': 'the connection was lost',
  'opcua-session-lost': 'the server ended the session',
  'opcua-subscription-lost': 'the server ended the subscription',
  'opcua-silent': 'the server said nothing any more',
};

/** Breaks of which one is worth a log line: a person set a clock, and may not know the effect. */
const ofClocks: ReadonlySet<string> = new Set(['equipment-clock-went-back', 'time-went-back']);

export function isOfClock(reason: string): boolean {
  return ofClocks.has(reason);
}

/** `a poll failed (poll-failed)`; a code that is in docs/ERRORS.md alone stays what it is. */
export function describeBreak(reason: string): string {
  const words = breakWords[reason];
  return words === undefined ? reason : `${words} (${reason})`;
}
