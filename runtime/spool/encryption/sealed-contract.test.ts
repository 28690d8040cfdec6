// The spool's own suites once more, with every record sealed.
import { useCodecInTests } from '../testing/open-test-spool.ts';
import { sealedWith } from '../testing/sealed.ts';

useCodecInTests(sealedWith('contract'));
await import('../spool.test.ts');
await import('../retention/retention.test.ts');
