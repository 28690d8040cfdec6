// One end of a cable: takes connections at one place and passes them on to another, until its standard input ends. It runs in a network
// namespace; sockets with a path are seen from all of them.
//
// node cable-end.ts '{"from": {"path": ..} | {"host", "port"}, "to": {..}}'
import { type Place, passOn } from './pass-on.ts';

const { from, to } = JSON.parse(process.argv[2]!) as { readonly from: Place; readonly to: Place };
process.stdin.resume().on('end', () => process.exit(0));
await passOn(from, to);
console.log('ready');
