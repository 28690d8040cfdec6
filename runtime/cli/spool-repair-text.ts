// Says what the module will do at its next start with a store that it cannot use.
import type { NextRepair } from './spool/open.ts';
import { counted, formatCount } from './spool-text.ts';

export function repairText({ reason, salvaged, lacksKeys }: NextRepair): string {
  const what = 'the next start moves the store to quarantine, and salvages it';
  if (salvaged === undefined) return `${reason}: ${what}`;
  if (lacksKeys) return `${reason}: ${what}; shown is what can be read of it without the keys that it takes`;
  const { kept, unsent, lostMessages, lostRecordCount } = salvaged;
  const lost =
    lostMessages + lostRecordCount === 0
      ? 'no record that can be named is lost'
      : `${counted(lostMessages, 'messages')} and ${counted(lostRecordCount, 'records')} are lost`;
  return `${reason}: ${what}; shown is what it will have then: ${counted(kept.messages, 'messages')}, ${formatCount(unsent)} of them unsent; ${lost}`;
}
