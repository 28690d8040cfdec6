// Node and nothing else: what of a footprint is the runtime's.
import { mark } from '../harness/child.ts';

setInterval(() => mark('readings', { readings: 0 }), 1000);
