// The framing table before node's own HTTP client: what we take, it must take, with the same body;
// where it refuses, we must refuse. Usage: node framing_node.mjs EXPORT_PROGRAM
//
// The other way round is allowed, and printed: where we refuse and node does not, we are stricter.
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';

// Where we take what node refuses, and why that is no harm.
const TAKEN_BY_US_ALONE = new Map([
    ['blank and tab after', 'the RFC lets blanks around a value be tabs'],
    ['blank in an extension', 'the RFC asks for it to be read, and so to the same end'],
]);
const AFTER_THE_END = 'bytes after the end: the response stands, its connection is closed';

const vectors = execFileSync(process.argv[2], { maxBuffer: 1 << 28 }).toString().trim().split('\n')
    .map((line) => JSON.parse(line));

// One response to one request of node's client: 'OK' with the body, 'CUT', or the parser's code.
function ask(vector) {
    return new Promise((resolve) => {
        const server = net.createServer((socket) => {
            socket.on('error', () => {});
            socket.once('data', () => socket.end(Buffer.from(vector.bytes, 'hex')));
        });
        const finish = (verdict, body) => {
            clearTimeout(guard);
            server.close();
            resolve({ verdict, body });
        };
        const guard = setTimeout(() => finish('HANG'), 10000);
        server.listen(0, '127.0.0.1', () => {
            const request = http.request({
                host: '127.0.0.1', port: server.address().port, method: vector.method,
                path: '/x', agent: false, maxHeaderSize: 1 << 16,
            }, (response) => {
                const parts = [];
                response.on('data', (part) => parts.push(part));
                response.on('error', (error) => finish(error.code));
                response.on('end', () => finish('OK', Buffer.concat(parts).toString('hex')));
            });
            request.on('upgrade', () => finish('UPGRADE'));
            request.on('error', (error) => finish(error.code));
            request.end();
        });
    });
}

const isCut = (verdict) => verdict === 'ECONNRESET';
let wrong = 0;
const counts = { same: 0, stricter: 0, excused: 0 };
const stricter = [];
for (const vector of vectors) {
    if (vector.method === 'CONNECT')
        continue; // node gives the socket away instead
    const node = await ask(vector);
    const says = `${vector.name} (${vector.rule}): we ${vector.verdict}, node ${node.verdict}`;
    if (vector.verdict === 'OK' && node.verdict === 'OK') {
        if (vector.body !== null && vector.body !== node.body) {
            console.log(`WRONG  ${says}, body ${node.body} not ${vector.body}`);
            wrong++;
        }
        counts.same++;
    } else if (vector.verdict === 'OK') {
        const excuse = vector.surplus ? AFTER_THE_END : TAKEN_BY_US_ALONE.get(vector.name);
        if (excuse) {
            console.log(`excused   ${says}: ${excuse}`);
            counts.excused++;
        } else {
            console.log(`WRONG  ${says}`);
            wrong++;
        }
    } else if (node.verdict === 'OK') {
        stricter.push(says);
        counts.stricter++;
    } else {
        if (vector.verdict === 'ETRUNCATED' && !isCut(node.verdict))
            console.log(`note      ${says}`);
        counts.same++;
    }
}
stricter.forEach((says) => console.log(`stricter  ${says}`));
console.log(`${vectors.length} vectors, node ${process.versions.node}, llhttp ${process.versions.llhttp}: ` +
    `${counts.same} alike, ${counts.stricter} we refuse alone, ${counts.excused} excused, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
