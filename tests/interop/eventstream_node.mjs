// Messages drawn from a seed and written by @smithy/eventstream-codec, a JSON object a line: the
// bytes in hex, and what is to be read of them. Usage: node eventstream_node.mjs FOLDER
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.argv[2], 'package.json'));
const { EventStreamCodec } = require('@smithy/eventstream-codec');

const codec = new EventStreamCodec((bytes) => Buffer.from(bytes).toString('utf8'),
    (text) => Buffer.from(text, 'utf8'));

let state = 1;
const draw = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 4294967296 * below);
};
const text = (most) => Array.from({ length: draw(most) }, () => 'aé€😀"|'[draw(6)]).join('');
const bytes = (len) => Uint8Array.from({ length: len }, () => draw(256));
const hex = (value) => Buffer.from(value).toString('hex');

// Every type that there is, to be stepped over.
const others = [
    ['t', { type: 'boolean', value: true }], ['f', { type: 'boolean', value: false }],
    ['b', { type: 'byte', value: -7 }], ['s', { type: 'short', value: -700 }],
    ['i', { type: 'integer', value: 7 }],
    ['l', { type: 'long', value: { bytes: bytes(8), valueOf: () => 0, toString: () => '0' } }],
    ['y', { type: 'binary', value: bytes(20) }], ['x', { type: 'string', value: 'é' }],
    ['d', { type: 'timestamp', value: new Date(1700000000000) }],
    ['u', { type: 'uuid', value: '01234567-89ab-cdef-0123-456789abcdef' }],
];
const named = { event: ':event-type', exception: ':exception-type', error: ':error-code' };

for (let n = 0; n < 300; n++) {
    const kind = Object.keys(named)[draw(3)];
    const [name, type, said] = [text(20), text(20), text(200)];
    const entries = [[':message-type', kind], [named[kind], name], [':content-type', type]]
        .map(([key, value]) => [key, { type: 'string', value }]);
    if (kind === 'error')
        entries.push([':error-message', { type: 'string', value: said }]);
    for (const other of others)
        if (draw(2))
            entries.splice(draw(entries.length + 1), 0, other);
    const body = kind === 'error' ? new Uint8Array() : Buffer.from(said);
    const message = codec.encode({ headers: Object.fromEntries(entries), body });
    console.log(JSON.stringify({
        bytes: hex(message), expected: `${kind} ${hex(name)}|${hex(type)}|${hex(said)}`,
    }));
}
