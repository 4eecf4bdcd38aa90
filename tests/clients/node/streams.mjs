// Inside a pod: commands with input and exit codes, and a forwarded port.
import assert from 'node:assert/strict';
import net from 'node:net';
import { PassThrough } from 'node:stream';
import * as k8s from '@kubernetes/client-node';
import { config, core, namespace, run, until } from './session.mjs';

const PORT = 8124;
const SERVER = `
from http.server import *; import os
class Hello(BaseHTTPRequestHandler):
  def do_GET(self):
    self.send_response(200)
    self.send_header('Content-Length', '5')  # the library passes no end of the connection on
    self.end_headers()
    self.wfile.write(b'hello')
HTTPServer((os.environ['IP'], ${PORT}), Hello).serve_forever()
`;

function collector() {
    const stream = new PassThrough();
    const taken = [];
    stream.on('data', (piece) => taken.push(piece));
    return [stream, () => Buffer.concat(taken).toString()];
}

async function execute(command, input) {
    const [out, outText] = collector();
    const [err, errText] = collector();
    const given = input === undefined ? null : new PassThrough();
    const status = await new Promise((resolve, reject) => {
        new k8s.Exec(config)
            .exec(namespace, 'worker', 'main', command, out, err, given, false, resolve)
            .then(() => given?.write(input), reject);
    });
    return { status, out: outText(), err: errText() };
}

await run(async () => {
    const container = {
        name: 'main',
        image: 'none',
        command: ['python3', '-c', SERVER],
        env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
        readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
    };
    const spec = { terminationGracePeriodSeconds: 1, containers: [container] };
    await core.createNamespacedPod({ namespace, body: { metadata: { name: 'worker' }, spec } });
    await until('readiness', async () => {
        const { status } = await core.readNamespacedPod({ namespace, name: 'worker' });
        return status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True');
    });

    const failed = await execute(['sh', '-c', 'echo out; echo err >&2; exit 3']);
    assert.equal(failed.out, 'out\n');
    assert.equal(failed.err, 'err\n');
    assert.equal(failed.status.reason, 'NonZeroExitCode');
    assert.deepEqual(failed.status.details.causes, [{ reason: 'ExitCode', message: '3' }]);
    const asked = await execute(['sh', '-c', 'read line; echo got $line'], 'it\n');
    assert.equal(asked.out, 'got it\n');
    assert.equal(asked.status.status, 'Success');

    const forward = new k8s.PortForward(config);
    const server = net.createServer((socket) => {
        forward.portForward(namespace, 'worker', [PORT], socket, null, socket);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${server.address().port}/`;
    const answer = await fetch(url, { headers: { connection: 'close' } });
    assert.equal(await answer.text(), 'hello');
    server.close();
});
